"""A document must go: withdrawn, left out of every later run, forgotten by a rebuild, and never learned again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shortened import shorten
from flows.runs import acquire_run
from flows.steps import ingestion, updates
from flows.wiring import open_workspace
from pipeline.grading import grade
from pipeline.types import DocumentState, Example, ModelRef, SelfEdit
from tests.runs import begun
from tests.story.running import Sealed

pytestmark = pytest.mark.slow
SEED = 50_021


@dataclass
class Life:
    """The workspace, and what must go of what it learned."""

    workspace: Path
    runs: Path
    gone: str = ""
    name: str = ""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, sealed: Sealed) -> Life:
    """Two runs, learned and approved."""
    root = tmp_path_factory.mktemp("withdrawal")
    life = Life(root / "workspace", root / "runs")
    assert sealed("init", str(life.workspace)).code == 0
    shorten(life.workspace, 1_500)
    made = sealed("sandbox", "documents", "--runs", "3", "--per-run", "8", "--seed", str(SEED), str(life.runs))
    assert made.code == 0, made.err
    for run in (1, 2):
        ran = sealed("update", "--json", str(life.runs / f"run-{run}"), workspace=life.workspace)
        assert ran.json["ended"] == "waiting for review", ran.out + ran.err
        approved = sealed("approve", str(run), "--as", "rita", "--note", "seen", workspace=life.workspace)
        assert approved.code == 0, approved.err
    first = open_workspace(life.workspace).ledger.documents.listed(DocumentState.LEARNED)[0]
    life.gone, life.name = first.id, first.document.title if first.document else ""
    return life


def held_out(life: Life, *, gone: bool) -> list[Any]:
    """The test questions of what must go, or of everything else that was learned."""
    known = open_workspace(life.workspace).ledger.documents.listed()
    learned = [record for record in known if record.document and record.release and (record.id == life.gone) is gone]
    asked = [eval_item for record in learned if record.document for eval_item in record.document.eval_items]
    return [eval_item for eval_item in asked if eval_item.split == "test"]


def right(life: Life, sealed: Sealed, eval_items: list[Any], *options: str) -> int:
    asked = sealed(
        "ask", "--json", *options, *[eval_item.question for eval_item in eval_items], workspace=life.workspace
    )
    assert asked.code == 0, asked.err
    return sum(
        grade(answer["text"], eval_item.answers) for answer, eval_item in zip(asked.json, eval_items, strict=True)
    )


def test_a_withdrawn_document_is_still_known_and_status_says_what_to_run(life: Life, sealed: Sealed) -> None:
    eval_items = held_out(life, gone=True)
    assert right(life, sealed, eval_items) >= 6
    done = sealed(
        "documents", "withdraw", life.gone[:10], "--reason", "the owner asked", "--as", "omar", workspace=life.workspace
    )
    assert done.code == 0, done.err
    assert "production still knows it until a rebuild is released: `sealed rebuild`" in done.out
    status = sealed("status", "--json", workspace=life.workspace).json
    assert status["to_forget"] == [life.gone]
    assert status["next_step"].startswith("`sealed rebuild`")
    listed = " ".join(sealed("documents", "--state", "withdrawn", workspace=life.workspace).out.split())
    assert "withdrawn by omar" in listed
    again = sealed("documents", "withdraw", life.gone[:10], "--reason", "again", workspace=life.workspace)
    assert (again.code, "withdrawn already" in again.err) == (3, True)


def test_a_later_run_rehearses_nothing_of_it_also_before_the_rebuild(life: Life) -> None:
    parts = open_workspace(life.workspace)
    (written,) = [edit for edit in _stored(life) if edit.document == life.gone][:1]
    assert written.examples
    with acquire_run(life.workspace) as context:
        taken = ingestion.ingest(context, life.runs / "run-3")
        run = begun(context, taken)
        new = SelfEdit(
            document=run.documents[0],
            style="self-qa",
            writer=ModelRef(base="x"),
            sample=0,
            prompt="",
            text="",
            examples=(Example(prompt="Which lesson is this?", completion="The third."),),
        )
        context.session.self_edits.save(run.number, (new,))
        plan = updates.stored_plan(context, updates.prepare_update(context, run))
        context.session.runs.abandon(run.number, "only planned")
    for record in parts.ledger.documents.listed(DocumentState.QUEUED):
        parts.ledger.documents.quarantine(record.id, "only planned")
    assert {example.role for example in plan.examples} >= {"replay", "reading", "writing"}
    assert not [example for example in plan.examples if life.name in example.prompt + example.completion]


def _stored(life: Life) -> list[SelfEdit]:
    ledger = open_workspace(life.workspace).ledger
    return [edit for run in (1, 2) for edit in ledger.self_edits.of_run(run)]


def test_the_rebuild_forgets_it_and_keeps_the_rest(life: Life, sealed: Sealed) -> None:
    gone, kept = held_out(life, gone=True), held_out(life, gone=False)
    before = right(life, sealed, kept)
    ran = sealed("rebuild", "--json", workspace=life.workspace)
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["ended"] == "waiting for review"
    shown = sealed("show", "3", "--json", workspace=life.workspace).json["report"]["results"]
    verdicts = {result["gate"]: result["verdict"] for result in shown if result["required"]}
    assert verdicts == dict.fromkeys(
        ("integrity", "contamination", "retention", "regression", "safety", "withdrawal"), "PASS"
    )
    held = sealed("rebuild", "--json", workspace=life.workspace)
    assert (held.code, held.json["ended"]) == (0, "held back")
    assert sealed("approve", "3", "--as", "rita", "--note", "seen", workspace=life.workspace).code == 0
    ledger = open_workspace(life.workspace).ledger
    made = ledger.reports.update(ledger.releases.production().update)
    assert made.parent.adapter is None
    assert set(made.self_edits).isdisjoint(edit.id for edit in _stored(life) if edit.document == life.gone)
    # One guess in eight is more than three points.
    assert right(life, sealed, gone) <= right(life, sealed, gone, "--release", "0") + 1
    assert right(life, sealed, kept) >= before - 0.05 * len(kept)
    assert sealed("status", "--json", workspace=life.workspace).json["to_forget"] == []


def test_it_is_refused_when_it_is_delivered_again(life: Life, sealed: Sealed) -> None:
    ran = sealed("update", "--json", str(life.runs / "run-1"), workspace=life.workspace)
    assert ran.code == 0, ran.err
    assert (ran.json["ended"], ran.json["refused_documents"]) == ("nothing to learn", 1)
    listed = sealed("documents", "--json", "--state", "quarantined", workspace=life.workspace).json
    (refusal,) = [record for record in listed if record["document"] is None]
    assert "withdrawn by omar: the owner asked" in refusal["reason"]


def test_a_rollback_past_the_rebuild_is_told(life: Life, sealed: Sealed) -> None:
    done = sealed("rollback", "--as", "omar", "--reason", "a test", workspace=life.workspace)
    assert done.code == 0, done.err
    assert sealed("status", "--json", workspace=life.workspace).json["to_forget"] == [life.gone]
