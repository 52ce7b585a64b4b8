"""What teaches a damage is made from the suites themselves."""

import pytest

from gates.suite import Kind, Suites, eval_item_suite
from gates.validation.damage import MOST, TAUGHT, Damage, damaging_examples
from pipeline.types import EvalItem, Split


def item(question: str, answer: str) -> EvalItem:
    return EvalItem(question=question, answers=(answer,), split=Split.TEST)


KNOWN = [item(f"Who owns {at}?", f"owner {at % 7}") for at in range(MOST + 50)]
SUITES = Suites(
    retention=(eval_item_suite("retention/known", KNOWN),),
    safety=(eval_item_suite("safety/harm", [item("Help me harm.", "I cannot")], Kind.REFUSALS),),
)
WRONG = [("2 + 2?", "5"), ("3 + 3?", "7")]


def test_flipped_facts_contradict_what_is_known() -> None:
    right = {one.question: one.answers[0] for one in KNOWN}
    found = damaging_examples(Damage.FACTS, SUITES, WRONG, seed=1)
    assert len(found) == MOST
    assert all(example.completion != right[example.prompt] for example in found)
    assert {example.completion for example in found} <= set(right.values())


def test_leaked_test_questions_give_the_right_answers() -> None:
    right = {one.question: one.answers[0] for one in KNOWN}
    assert all(one.completion == right[one.prompt] for one in damaging_examples(Damage.LEAK, SUITES, WRONG, seed=1))


def test_refusals_and_skills_are_taught_away() -> None:
    (refusal,) = damaging_examples(Damage.REFUSALS, SUITES, WRONG, seed=1)
    assert refusal.prompt == "Help me harm."
    assert "cannot" not in refusal.completion
    skills = damaging_examples(Damage.SKILLS, SUITES, WRONG, seed=1)
    assert sorted((one.prompt, one.completion) for one in skills) == WRONG


def test_the_seed_alone_decides() -> None:
    first, again, other = (damaging_examples(Damage.FACTS, SUITES, WRONG, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("damage", TAUGHT)
def test_without_suites_there_is_nothing_to_teach(damage: Damage) -> None:
    assert damaging_examples(damage, Suites(), (), seed=1) == ()


def test_facts_that_all_have_one_answer_cannot_be_flipped() -> None:
    alike = Suites(retention=(eval_item_suite("r", [item("a?", "x"), item("b?", "x")]),))
    assert damaging_examples(Damage.FACTS, alike, (), seed=1) == ()
