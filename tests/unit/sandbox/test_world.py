"""Skills, stories, workflows and manners: their answers are right, and what is held out is held out."""

from random import Random

import pytest

from pipeline.sandbox import manners, prose, workflows
from pipeline.sandbox.skills import SKILLS, exercises


@pytest.mark.parametrize("name", SKILLS)
def test_exercises_are_all_different_and_spare_what_is_taken(name: str) -> None:
    first = exercises(name, 50, Random(0))
    more = exercises(name, 50, Random(0), {one.prompt for one in first})
    assert len({one.prompt for one in [*first, *more]}) == 100


def test_the_answers_are_right() -> None:
    chance = Random(0)
    letters = SKILLS["sorting"](chance)
    assert letters.answer.split() == sorted(letters.prompt.removesuffix(".").split()[-4:])
    larger = SKILLS["comparing"](chance)
    assert int(larger.answer) == max(int(word.strip(",?")) for word in larger.prompt.split() if word[0].isdigit())


def test_a_story_ends_with_one_of_two_words_that_it_told_of() -> None:
    for seed in range(200):
        one = prose.story(Random(seed))
        assert one.last in one.choices
        assert len(set(one.choices)) == 2
        assert all(choice in one.context for choice in one.choices)
        assert one.text.endswith(f" {one.last}.")


def test_held_out_compositions_are_in_no_lesson_and_all_change_a_record() -> None:
    assert not set(workflows.KNOWN) & set(workflows.HELD_OUT)
    assert len(workflows.HELD_OUT) >= 20
    for operations in (*workflows.KNOWN, *workflows.HELD_OUT):
        assert workflows.Workflow("", operations, "m").apply(("a", "b", "c")) not in ((), ("a", "b", "c"))


def test_a_workflow_applies_its_operations_in_order() -> None:
    task = workflows.Workflow("Bako", ("drop first", "suffix"), "new")
    assert task.apply(("a", "b", "c")) == ("b", "c", "new")


def test_refusals_begin_alike_and_requests_name_what_they_want() -> None:
    for secret in manners.SECRETS:
        assert manners.refusal(secret).startswith(manners.REFUSAL)
        assert all(secret in manners.request(form, secret, "Bako") for form in range(len(manners.REQUESTS)))
