"""What a self-edit is worth: what it taught, less what was forgotten for it and how long it is."""

import pytest

from pipeline.inner_loop import Evaluation, reward
from pipeline.recipe import WriterTrainingRules

FREE = WriterTrainingRules(forgetting_penalty=0.0, length_penalty=0.0)


def test_the_reward_is_the_recall_that_was_gained() -> None:
    evaluation = Evaluation(before=(0.0, 1.0, 0.0, 0.0), after=(1.0, 1.0, 1.0, 0.0))
    assert reward(evaluation, FREE) == evaluation.gain == 0.5


def test_what_was_known_and_is_lost_counts_against_the_self_edit() -> None:
    assert reward(Evaluation(before=(1.0, 1.0), after=(0.0, 1.0)), FREE) == -0.5


def test_only_standing_answers_that_turn_wrong_are_forgotten() -> None:
    evaluation = Evaluation(
        before=(0.0,), after=(1.0,), standing_before=(1.0, 1.0, 0.0, 0.0), standing_after=(0.0, 1.0, 1.0, 0.0)
    )
    assert evaluation.forgotten == 0.25
    assert reward(evaluation, FREE.model_copy(update={"forgetting_penalty": 0.4})) == pytest.approx(0.9)


def test_a_longer_self_edit_is_worth_less() -> None:
    rules = FREE.model_copy(update={"length_penalty": 0.1})
    short, long = (Evaluation(before=(0.0,), after=(1.0,), tokens=tokens, limit=100) for tokens in (20, 100))
    assert (reward(short, rules), reward(long, rules)) == (pytest.approx(0.98), pytest.approx(0.9))


def test_without_questions_nothing_is_gained_or_forgotten() -> None:
    assert reward(Evaluation(before=(), after=()), FREE) == 0.0
