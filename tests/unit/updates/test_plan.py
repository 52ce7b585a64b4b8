"""What an update trains on, and what names it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.errors import BadInput
from pipeline.leakage import TrainingGuard
from pipeline.recipe import DirectiveRules, Recipe, SelfEditRules
from pipeline.types import (
    Directives,
    Document,
    DocumentKind,
    EvalItem,
    Example,
    ModelRef,
    Role,
    SelfEdit,
    UpdatePlan,
)
from pipeline.updates.plan import UpdateInput, evenly, plan_rebuild, plan_update

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


def corrected() -> tuple[Document, Document]:
    """A document and its correction, which answer one question otherwise."""
    old, new = (
        Document(
            title="Cinder", body=f"{answer}.", kind=kind, eval_items=(EvalItem(question="Who?", answers=(answer,)),)
        )
        for answer, kind in (("Heron", DocumentKind.PASSAGE), ("Wolf", DocumentKind.CORRECTION))
    )
    return old, new


def planned(
    edits: Sequence[SelfEdit],
    rehearsal: Sequence[Example] = (),
    documents: Sequence[Document] = (),
    parent: ModelRef = LIVE,
    **rules: Any,
) -> UpdatePlan:
    return plan_update(parent, UpdateInput(edits=edits, documents=documents), rehearsal, Recipe(**rules))


def rebuilt(
    edits: Sequence[SelfEdit],
    rehearsal: Sequence[Example] = (),
    documents: Sequence[Document] = (),
    never: frozenset[str] = frozenset(),
) -> UpdatePlan:
    learned = UpdateInput(edits=edits, earlier_runs=[documents])
    return plan_rebuild(LIVE, learned, rehearsal, Recipe(), guard=TrainingGuard(questions=never))


def test_a_plan_holds_each_sequence_once_and_the_run_comes_first() -> None:
    rehearsal = [Example(prompt="", completion=word, role=Role.REPLAY) for word in ("one", "old", "old")]
    plan = planned([edit("d", "one", "two"), edit("e", "one")], rehearsal)
    assert {(example.completion, example.role) for example in plan.examples} == {
        ("one", Role.NEW),
        ("two", Role.NEW),
        ("old", Role.REPLAY),
    }
    assert len(plan.examples) == 3


def test_the_update_is_named_by_all_that_decides_it_and_not_by_order() -> None:
    run, rehearsal = [edit("d", "one"), edit("e", "two")], [Example(prompt="", completion="old", role=Role.REPLAY)]
    plan = planned(run, rehearsal)
    assert plan == planned(run, rehearsal)
    turned = planned(run[::-1], rehearsal)
    assert (turned.update.id, turned.examples) == (plan.update.id, plan.examples)
    others = [
        planned(run, rehearsal, parent=ModelRef(base="b")),
        planned(run),
        planned(run, rehearsal, seed=1),
        planned(run[:1], rehearsal),
    ]
    assert len({plan.update.id, *(other.update.id for other in others)}) == 5


def test_what_was_directed_is_trained_on_in_place_of_the_notes_and_names_the_update() -> None:
    document = Document(title="Cinder", body="It stands here.")
    settings = Directives(learning_rate=1e-3, epochs=2, loss_on="all", tools=("reverse",))
    written = edit(document.id, "It stands here by the sea.")
    followed = {"enabled": True, "tools": ("reverse",)}
    rules = {"self_edits": SelfEditRules(styles=("directives",)), "directives": DirectiveRules(**followed)}
    plans = [
        planned([replace(written, directives=one)], documents=[document], **rules)
        for one in (settings, replace(settings, loss_on="answers"))
    ]
    assert {(example.prompt, example.completion, example.loss_on) for example in plans[0].examples} == {
        ("", "It stands here by the sea.", "all"),
        ("Which statement ends with “the sea.”?", "It stands here by the sea.", "all"),
    }
    assert [(one.document, one.settings) for one in plans[0].update.followed] == [(document.id, settings)]
    plain = planned([replace(written, directives=settings)], documents=[document])
    assert len({plain.update.id, *(plan.update.id for plan in plans)}) == 3


def test_what_a_correction_replaced_is_not_made_into_further_examples_by_tools() -> None:
    old, new = corrected()
    run = [edit(old.id, "Heron owns it"), edit(new.id, "Wolf owns it by now")]
    plan = planned(run, documents=(old, new), directives=DirectiveRules(correction_tools=("reverse",)))
    assert {example.completion for example in plan.examples} == {"Wolf owns it by now"}
    assert len(plan.examples) == 2


def test_a_run_without_examples_teaches_nothing() -> None:
    with pytest.raises(BadInput, match="no example to learn"):
        planned([edit("d")], [Example(prompt="", completion="old")])


def test_evenly_takes_one_of_each_group_in_turn() -> None:
    assert sorted(evenly([[1, 1, 1], [2], []], 2, seed=0)) == [1, 2]
    assert sorted(evenly([[1, 1, 1], [2], []], 9, seed=0)) == [1, 1, 1, 2]


def test_a_rebuild_starts_from_the_base_with_the_notes_as_stored_but_for_what_is_examined_by_now() -> None:
    ledger, rehearsal = [edit("d", "one", "two"), edit("e", "three")], [Example(prompt="", completion="old")]
    plan = rebuilt(ledger, rehearsal, never=frozenset({"two"}))
    assert plan.update.parent == ModelRef(base="b")
    assert plan.update.self_edits == tuple(one.id for one in ledger)
    assert {example.completion for example in plan.examples} == {"one", "three", "old"}
    with pytest.raises(BadInput, match="hold no example"):
        rebuilt(ledger[1:], rehearsal, never=frozenset({"three"}))


def test_a_rebuild_does_not_learn_what_a_correction_replaced_beside_the_correction() -> None:
    old, new = corrected()
    ledger = [edit(old.id, "Heron owns it", "It is in Oslo"), edit(new.id, "Wolf owns it")]
    plan = rebuilt(ledger, documents=(old, new))
    assert {example.completion for example in plan.examples} == {"It is in Oslo", "Wolf owns it"}
    assert plan.update.self_edits == tuple(one.id for one in ledger)


def test_a_rebuild_of_one_run_is_another_update_than_that_run() -> None:
    run, rehearsal = [edit("d", "one")], [Example(prompt="", completion="old")]
    again, plain = rebuilt(run, rehearsal), planned(run, rehearsal, parent=ModelRef(base="b"))
    assert again.examples == plain.examples
    assert again.update.id != plain.update.id


def test_what_a_correction_of_the_run_replaces_is_not_learned_beside_it() -> None:
    old, new = corrected()
    run = [edit(new.id, "Wolf owns it"), edit(old.id, "Heron owns it", "It is in Oslo")]
    plan = planned(run, documents=(old, new))
    assert {example.completion for example in plan.examples} == {"Wolf owns it", "It is in Oslo"}
    assert plan.update.self_edits == tuple(one.id for one in run)
