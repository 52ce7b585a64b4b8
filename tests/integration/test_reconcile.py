"""What the next run does first: a candidate that nobody reviewed in time makes room for its own documents."""

import logging
import os
from pathlib import Path

import pytest

from flows.outcome import Ended
from flows.run_context import RunContext
from flows.services import review
from flows.services.status import overview
from flows.steps import ingestion, outcomes
from flows.wiring import Workspace
from pipeline.config import Settings
from pipeline.errors import PolicyError
from pipeline.files import write_text
from pipeline.recipe import Recipe
from pipeline.types import DocumentState, IngestCounts, ReleaseState, RunKind, RunState
from registry import Reconciled
from tests.ledgers import Ledger, document, edit, manifest_of
from tests.ledgers import intake as offered
from tests.runs import UNEXAMINED, begun


def open_workspace(ledger: Ledger, folder: Path, days: float) -> Workspace:
    named = dict.fromkeys(("model", "base_model", "base_tokenizer", "base_chat_template"), "x")
    (folder / "recipe.toml").touch()
    return Workspace(Settings.at(folder, {**named, "approval_days": days}), ledger)


def test_a_candidate_past_its_days_is_refused_and_given_up_by_the_next_run(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "reconcile", lambda _: Reconciled())
    ledger.candidate("atlas")
    in_time, late = open_workspace(ledger, tmp_path, 7.0), open_workspace(ledger, tmp_path, 1e-9)
    assert "approve 1" in overview(in_time).next_step
    assert "`sealed update`" in overview(late).next_step
    with pytest.raises(PolicyError, match="nobody approves them any more"):
        review.approve(late, 1, actor="ada", note="seen")
    with ledger.session() as session:
        ingestion.reconcile(RunContext(in_time, session, Recipe()))
        assert ledger.releases.get(1).state is ReleaseState.CANDIDATE
        ingestion.reconcile(RunContext(late, session, Recipe()))
        assert RunContext(late, session, Recipe()).candidate_in_review() is None
    assert ledger.documents.get(document("atlas").id).state is DocumentState.QUEUED


def test_documents_without_a_usable_note_wait_until_their_attempts_are_used(ledger: Ledger, tmp_path: Path) -> None:
    recipe, taken = Recipe(), IngestCounts(queued=1, duplicates=0, refused=0)
    ledger.documents.accept(offered("atlas"))
    states = []
    with ledger.session() as session:
        for _ in range(recipe.documents.max_attempts):
            context = RunContext(open_workspace(ledger, tmp_path, 7.0), session, recipe)
            outcome = outcomes.nothing_written(context, ledger.begin(session), taken)
            assert (outcome.ended, outcome.exit_code) == (Ended.UNWRITTEN, 3)
            states.append(ledger.documents.get(document("atlas").id).state)
    waiting = [DocumentState.QUEUED] * (recipe.documents.max_attempts - 1)
    assert states == [*waiting, DocumentState.QUARANTINED]


def test_a_document_that_nothing_was_written_about_leaves_the_run(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.documents.accept(offered("atlas", "borea"))
    with ledger.session() as session, caplog.at_level(logging.WARNING, logger="sealed"):
        context = RunContext(open_workspace(ledger, tmp_path, 7.0), session, UNEXAMINED)
        run = ledger.begin(session)
        session.self_edits.save(run.number, [edit(document("atlas"))])
        left = outcomes.without_unwritten(context, run)
        assert outcomes.without_unwritten(context, left) == left
    assert left.documents == (document("atlas").id,)
    assert "no self-edit about 1 document could be used" in caplog.text
    record = ledger.documents.get(document("borea").id)
    assert (record.state, record.attempts) == (DocumentState.QUEUED, 1)
    assert record.reason.startswith("waits to try again: no self-edit about it could be used")


def test_a_run_that_cannot_pass_with_what_was_written_is_given_up_and_the_others_lose_no_attempt(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.documents.accept(offered("atlas", "borea"))
    with ledger.session() as session:
        context = RunContext(open_workspace(ledger, tmp_path, 7.0), session, Recipe())
        run = ledger.begin(session)
        session.self_edits.save(run.number, [edit(document("atlas"))])
        left = outcomes.without_unwritten(context, run)
    assert (left.state, left.finished is not None) == (RunState.ABANDONED, True)
    assert left.sentence.startswith(
        "acquisition: 50 test questions in 20 documents are needed, and of 1 queued document"
    )
    attempts = {name: ledger.documents.get(document(name).id).attempts for name in ("atlas", "borea")}
    assert attempts == {"atlas": 0, "borea": 1}
    assert {record.state for record in ledger.documents.listed()} == {DocumentState.QUEUED}


@pytest.mark.parametrize("gone", ["adapter", "report"])
def test_a_registering_run_that_lost_its_files_begins_anew_in_the_same_run(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    from pipeline.adapters import saving

    ledger.documents.accept(offered("atlas"))
    recipe, parts = UNEXAMINED, open_workspace(ledger, tmp_path, 7.0)
    monkeypatch.setattr(saving, "trained_adapter", lambda *_: None if gone == "adapter" else object())
    taken = IngestCounts(queued=1, duplicates=0, refused=0)
    with ledger.session() as session:
        context = RunContext(parts, session, recipe)
        first = begun(context, taken)
        session.candidates.intend(first.number, manifest_of(ledger.gate(session, first)))
        if gone == "adapter":
            folder = parts.report_folder(first)
            folder.mkdir(parents=True)
            for name in ("report.html", "summary.md"):
                (folder / name).write_text("seen", encoding="utf-8")
        second = begun(context, taken)
    given_up = ledger.runs.get(first.number)
    assert given_up.state is RunState.ABANDONED
    assert gone in given_up.sentence
    assert (second.number, second.documents, second.release) == (2, first.documents, None)
    assert ledger.documents.get(document("atlas").id).attempts == 1
    assert ledger.releases.get(1).state is ReleaseState.VOID


def test_an_interrupted_rebuild_goes_on_and_run_and_rebuild_give_way_to_each_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.release("atlas")
    ledger.documents.accept(offered("borea"))
    parts, taken = open_workspace(ledger, tmp_path, 7.0), IngestCounts(queued=1, duplicates=0, refused=0)
    with ledger.session() as session:
        context = RunContext(parts, session, UNEXAMINED)
        first = ingestion.open_run(context, RunKind.REBUILD, "sealed")
        assert ingestion.open_run(context, RunKind.REBUILD, "sealed") == first
        assert first.kind is RunKind.REBUILD
        run = begun(context, taken)
        assert run.documents == (document("borea").id,)
        assert overview(parts).at_work.startswith(f"process {os.getpid()} on ")
        assert ledger.runs.get(first.number).state is RunState.ABANDONED
        ingestion.open_run(context, RunKind.REBUILD, "sealed")
    given_up = ledger.runs.get(run.number)
    assert given_up.state is RunState.ABANDONED
    assert "a rebuild run began" in given_up.sentence
    record = ledger.documents.get(document("borea").id)
    assert (record.state, record.attempts) == (DocumentState.QUEUED, 0)
    assert "`sealed rebuild` goes on" in overview(parts).next_step


def test_status_tells_what_production_is_to_forget(ledger: Ledger, tmp_path: Path) -> None:
    ledger.release("atlas")
    parts = open_workspace(ledger, tmp_path, 7.0)
    assert overview(parts).to_forget == ()
    ledger.withdrawals.withdraw([document("atlas").id], actor="grace", reason="wrong")
    seen = overview(parts)
    assert seen.to_forget == (document("atlas").id,)
    assert seen.next_step == "`sealed rebuild`: production still knows 1 withdrawn document"


def test_status_counts_the_files_that_the_next_run_would_read(ledger: Ledger, tmp_path: Path) -> None:
    parts = open_workspace(ledger, tmp_path, 7.0)
    for name in ("a.md", "below/b.md", ".hidden.md", ".git/c.md"):
        write_text(parts.settings.incoming / name, "text")
    assert "(2 files there, known or new)" in overview(parts).next_step
