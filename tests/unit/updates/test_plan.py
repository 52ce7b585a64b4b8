"""What an update trains on, and what names it."""

from dataclasses import replace

import pytest

from pipeline.errors import BadInput
from pipeline.recipe import Recipe
from pipeline.self_edits.directives import Directed
from pipeline.types import Directives, Document, DocumentKind, EvalItem, Example, Followed, ModelRef, Role, SelfEdit
from pipeline.updates.plan import evenly, plan_rebuild, plan_update

LIVE = ModelRef(base="b", adapter="a")


def edit(document: str, *completions: str, prompt: str = "p") -> SelfEdit:
    examples = tuple(Example(prompt="", completion=completion) for completion in completions)
    return SelfEdit(
        document=document,
        style="s",
        writer=LIVE,
        sample=0,
        prompt=prompt,
        text="\n".join(completions),
        examples=examples,
    )


def test_a_plan_holds_each_sequence_once_and_the_run_comes_first() -> None:
    rehearsal = [Example(prompt="", completion=word, role=Role.REPLAY) for word in ("one", "old", "old")]
    plan = plan_update(LIVE, [edit("d", "one", "two"), edit("e", "one")], rehearsal, Recipe())
    assert {(example.completion, example.role) for example in plan.examples} == {
        ("one", Role.NEW),
        ("two", Role.NEW),
        ("old", Role.REPLAY),
    }
    assert len(plan.examples) == 3


def test_the_update_is_named_by_all_that_decides_it_and_not_by_order() -> None:
    run, rehearsal = [edit("d", "one"), edit("e", "two")], [Example(prompt="", completion="old", role=Role.REPLAY)]
    plan = plan_update(LIVE, run, rehearsal, Recipe())
    assert plan == plan_update(LIVE, run, rehearsal, Recipe())
    turned = plan_update(LIVE, run[::-1], rehearsal, Recipe())
    assert (turned.update.id, turned.examples) == (plan.update.id, plan.examples)
    others = [
        plan_update(ModelRef(base="b"), run, rehearsal, Recipe()),
        plan_update(LIVE, run, (), Recipe()),
        plan_update(LIVE, run, rehearsal, Recipe(seed=1)),
        plan_update(LIVE, run[:1], rehearsal, Recipe()),
    ]
    assert len({plan.update.id, *(other.update.id for other in others)}) == 5


def test_what_was_directed_is_trained_on_in_place_of_the_notes_and_names_the_update() -> None:
    settings = Directives(learning_rate=1e-3, epochs=2, loss_on="all", tools=("reverse",))
    made = (Example(prompt="", completion="one", loss_on="all"), Example(prompt="", completion="eno", loss_on="all"))
    directed = Directed(followed=Followed(document="d", settings=settings, reasons=("why",)), examples=made)
    plain = plan_update(LIVE, [edit("d", "one")], (), Recipe())
    plan = plan_update(LIVE, [edit("d", "one")], (), Recipe(), [directed])
    assert {(example.completion, example.loss_on) for example in plan.examples} == {("one", "all"), ("eno", "all")}
    assert plan.update.followed == (directed.followed,)
    other = replace(directed, followed=replace(directed.followed, settings=replace(settings, loss_on="answers")))
    ids = {plan_update(LIVE, [edit("d", "one")], (), Recipe(), [one]).update.id for one in (directed, other)}
    assert len({*ids, plain.update.id}) == 3


def test_a_run_without_examples_teaches_nothing() -> None:
    with pytest.raises(BadInput, match="no example to learn"):
        plan_update(LIVE, [edit("d")], [Example(prompt="", completion="old")], Recipe())


def test_evenly_takes_one_of_each_group_in_turn() -> None:
    assert sorted(evenly([[1, 1, 1], [2], []], 2, seed=0)) == [1, 2]
    assert sorted(evenly([[1, 1, 1], [2], []], 9, seed=0)) == [1, 1, 1, 2]


def test_a_rebuild_starts_from_the_base_with_the_notes_as_stored_but_for_what_is_examined_by_now() -> None:
    ledger, rehearsal = [edit("d", "one", "two"), edit("e", "three")], [Example(prompt="", completion="old")]
    plan = plan_rebuild(LIVE, ledger, rehearsal, Recipe(), frozenset({"two"}), ())
    assert plan.update.parent == ModelRef(base="b")
    assert plan.update.self_edits == tuple(one.id for one in ledger)
    assert {example.completion for example in plan.examples} == {"one", "three", "old"}
    with pytest.raises(BadInput, match="hold no example"):
        plan_rebuild(LIVE, ledger[1:], rehearsal, Recipe(), frozenset({"three"}), ())


def test_a_rebuild_does_not_learn_what_a_correction_replaced_beside_the_correction() -> None:
    old, new = (
        Document(
            title="Cinder", body=f"{answer}.", kind=kind, eval_items=(EvalItem(question="Who?", answers=(answer,)),)
        )
        for answer, kind in (("Heron", DocumentKind.PASSAGE), ("Wolf", DocumentKind.CORRECTION))
    )
    ledger = [edit(old.id, "Heron owns it", "It is in Oslo"), edit(new.id, "Wolf owns it")]
    plan = plan_rebuild(LIVE, ledger, (), Recipe(), frozenset(), (old, new))
    assert {example.completion for example in plan.examples} == {"It is in Oslo", "Wolf owns it"}
    assert plan.update.self_edits == tuple(one.id for one in ledger)


def test_a_rebuild_of_one_run_is_another_update_than_that_run() -> None:
    base, run, rehearsal = ModelRef(base="b"), [edit("d", "one")], [Example(prompt="", completion="old")]
    rebuilt = plan_rebuild(base, run, rehearsal, Recipe(), frozenset(), ())
    assert rebuilt.examples == plan_update(base, run, rehearsal, Recipe()).examples
    assert rebuilt.update.id != plan_update(base, run, rehearsal, Recipe()).update.id


def test_what_a_correction_of_the_run_replaces_is_not_learned_beside_it() -> None:
    old, new = (
        Document(
            title="Cinder", body=f"{answer}.", kind=kind, eval_items=(EvalItem(question="Who?", answers=(answer,)),)
        )
        for answer, kind in (("Heron", DocumentKind.PASSAGE), ("Wolf", DocumentKind.CORRECTION))
    )
    run = [edit(new.id, "Wolf owns it"), edit(old.id, "Heron owns it", "It is in Oslo")]
    plan = plan_update(LIVE, run, (), Recipe(), documents=(old, new))
    assert {example.completion for example in plan.examples} == {"Wolf owns it", "It is in Oslo"}
    assert plan.update.self_edits == tuple(one.id for one in run)
