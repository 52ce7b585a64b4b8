"""ReST-EM keeps of each document the best of what helped, and the writer's update holds what was kept and no more."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.errors import BadInput
from pipeline.recipe import Recipe
from pipeline.types import Example, ModelRef, Role
from pipeline.writer_training.outer_loop import ScoredSample
from pipeline.writer_training.rounds import round_stats
from pipeline.writer_training.rules import writer_rules
from pipeline.writer_training.selection import keep_best, plan_writer

Make = Callable[..., ScoredSample]
LIVE = ModelRef(base="b", adapter="a")


def test_the_best_of_each_document_is_kept(scored: Make) -> None:
    kept = keep_best([scored("a", 0, 0.1), scored("b", 0, 0.3), scored("a", 1, 0.5), scored("b", 1, 0.2)], 1)
    assert [(one.sample.document.title, one.sample.number) for one in kept] == [("a", 1), ("b", 0)]


def test_of_what_is_kept_of_all_documents_the_best_share_is_learned_from(scored: Make) -> None:
    notes = [scored("a", 0, 0.1), scored("a", 1, 0.4), scored("b", 0, 0.5), scored("b", 1, 0.3), scored("c", 0, 0.2)]
    kept = keep_best(notes, 2, 0.6)
    assert [(one.sample.document.title, one.sample.number) for one in kept] == [("a", 1), ("b", 0), ("b", 1)]
    assert [one.sample.document.title for one in keep_best(notes, 2, 0.01)] == ["b"]
    assert keep_best([scored("a", 0, -0.1)], 2, 0.5) == ()


def test_what_taught_nothing_or_cost_more_than_it_taught_is_not_kept(scored: Make) -> None:
    assert keep_best([scored("a", 0, 0.0), scored("b", 0, -0.2), scored("c", 0, 0.2, reward=-0.1)], 1) == ()


def test_what_no_training_may_hold_is_not_kept_however_good(scored: Make) -> None:
    (kept,) = keep_best([scored("a", 0, 0.9, leaks=True), scored("a", 1, 0.8, usable=False), scored("a", 2, 0.1)], 2)
    assert kept.sample.number == 2


def test_of_equal_ones_the_shorter_is_kept_then_the_first(scored: Make) -> None:
    rivals = [scored("a", 0, 0.5, tokens=30), scored("a", 1, 0.5, tokens=9), scored("a", 2, 0.5, tokens=9)]
    assert [one.sample.number for one in keep_best(rivals, 2)] == [1, 2]
    assert keep_best(rivals[::-1], 2) == keep_best(rivals, 2)


def test_the_writer_learns_prompts_with_texts_and_the_rehearsal_beside_them(scored: Make) -> None:
    recipe = Recipe(seed=3)
    rehearsed = Example(prompt="Who?", completion="Heron", role=Role.REPLAY)
    plan = plan_writer(LIVE, [scored("a", 0, 0.5)], [rehearsed], recipe, 3)
    assert {(one.prompt, one.completion, one.role) for one in plan.examples} == {
        ("On a.", "a note 0", Role.WRITING),
        ("Who?", "Heron", Role.REPLAY),
    }
    assert (plan.update.parent, plan.update.self_edits, plan.update.recipe) == (LIVE, (), recipe.digest)
    again = plan_writer(LIVE, [scored("a", 0, 0.5)], [rehearsed], recipe, 3)
    assert again == plan
    assert plan_writer(LIVE, [scored("a", 1, 0.5)], [rehearsed], recipe, 3).update.id != plan.update.id


def test_the_writer_keeps_the_shape_of_the_production_adapter_and_has_its_own_pace() -> None:
    recipe = Recipe()
    rules = writer_rules(recipe)
    assert (rules.rank, rules.alpha, rules.targets) == (
        recipe.training.rank,
        recipe.training.alpha,
        recipe.training.targets,
    )
    assert (rules.learning_rate, rules.epochs) == (recipe.writer_training.learning_rate, recipe.writer_training.epochs)


def test_a_round_in_numbers_and_words(scored: Make) -> None:
    made = round_stats(2, [scored("a", 0, 0.5), scored("a", 1, 0.0, usable=False)], 1)
    assert (made.gain, made.reward, made.usable) == (0.25, 0.25, 0.5)
    assert made.sentence == (
        "round 2: 2 self-edits gained 25.0 points on average (reward 0.250, 50 % usable), 1 were trained on"
    )


def test_a_writer_is_not_held_to_how_the_base_writes() -> None:
    assert Recipe().rehearsal.without_writing.distilled == ("rehearsal", "generative", "reading", "replay")


def test_a_round_in_which_nothing_could_be_written_says_so() -> None:
    with pytest.raises(BadInput, match="no self-edit could be written"):
        round_stats(1, [], 0)


def test_a_self_edit_without_a_writing_example_is_not_kept(scored: Make) -> None:
    made = scored("a", 0, 0.5)
    assert keep_best([made], 1) == (made,)
    assert keep_best([replace(made, sample=replace(made.sample, writing=()))], 1) == ()
