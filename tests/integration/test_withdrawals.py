"""Withdrawing documents on real databases: who may go when, what comes back, and what production still knows."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from flows.cli.documents import app
from flows.run_context import RunContext
from flows.steps.eval_items import never_trained_on
from flows.steps.status import overview
from flows.wiring import Workspace
from pipeline.config import Settings
from pipeline.errors import BadInput, NoSuchDocument, PolicyError
from pipeline.leakage import held_out_keys
from pipeline.recipe import Recipe
from pipeline.types import (
    DocumentState,
    Ingested,
    RunKind,
    RunState,
    WriterTrainingRequest,
)
from registry import deploy
from registry.store import documents, releases, runs, self_edits, withdrawals, writer_trainings
from tests.ledgers import NOON, RECIPE, Ledger, document, edit, intake, practise, practised, rebuilt

WITHDRAWN = DocumentState.WITHDRAWN


def withdraw(ledger: Ledger, *names: str, reason: str = "it is wrong") -> None:
    ids = [document(name).id for name in names]
    withdrawals.withdraw(ledger.store, ids, actor="grace", reason=reason, at=NOON)


def still_known(ledger: Ledger) -> list[str]:
    return [one.title for one in withdrawals.remembered(ledger.store)]


def open_workspace(ledger: Ledger, folder: Path) -> Workspace:
    names = ("model", "base_model", "base_tokenizer", "base_chat_template")
    return Workspace(Settings.at(folder, dict.fromkeys(names, "x")), ledger.store)


def test_a_withdrawal_is_recorded_with_name_reason_and_time(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    (record,) = withdrawals.withdraw(
        ledger.store, [document("atlas").id[:8]], actor="grace", reason="it is wrong", at=NOON
    )
    assert (record.state, record.reason) == (WITHDRAWN, "withdrawn by grace: it is wrong")
    (found,) = withdrawals.listed(ledger.store)
    assert (found.document, found.actor, found.reason, found.at) == (record.id, "grace", "it is wrong", NOON)
    with pytest.raises(DBAPIError), ledger.store.write() as connection:
        connection.execute(text("DELETE FROM withdrawals"))


def test_a_queued_or_quarantined_document_is_never_learned_once_withdrawn(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas", "borea", "cinder"))
    documents.quarantine(ledger.store, document("borea").id, "doubtful")
    withdraw(ledger, "atlas", "borea")
    with ledger.working() as held:
        assert ledger.begin(held).documents == (document("cinder").id,)
    assert still_known(ledger) == []
    with pytest.raises(PolicyError, match="is withdrawn: it cannot become queued"):
        documents.requeue(ledger.store, [document("atlas").id])


def test_a_withdrawn_document_is_not_practised_on(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas", "borea"))
    withdraw(ledger, "atlas")
    left = documents.without_withdrawn(ledger.store, intake("atlas", "borea"))
    assert [one.title for one in left.accepted] == [document("borea").title]
    assert [refusal.reason.startswith("not taken again") for refusal in left.refused] == [True]


def test_a_withdrawn_document_that_is_offered_again_is_refused_with_the_reason(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    withdraw(ledger, "atlas")
    counts = documents.accept(ledger.store, intake("atlas", "borea"))
    assert (counts.queued, counts.refused, counts.duplicates) == (1, 1, 0)
    (refusal,) = documents.listed(ledger.store, DocumentState.QUARANTINED)
    assert refusal.name == "atlas.md"
    assert refusal.reason.startswith("not taken again: document ")
    assert refusal.reason.endswith("was withdrawn by grace: it is wrong")
    again = documents.accept(ledger.store, intake("atlas"))
    assert (again.queued, again.refused) == (0, 0)
    assert documents.get(ledger.store, document("atlas").id).state is WITHDRAWN
    assert documents.get(ledger.store, refusal.id).state is DocumentState.QUARANTINED


def test_what_cannot_be_withdrawn_is_told_with_the_way_out_and_nothing_is_withdrawn(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with pytest.raises(NoSuchDocument):
        withdrawals.withdraw(ledger.store, [document("atlas").id, "0000"], actor="grace", reason="wrong")
    with pytest.raises(BadInput, match="needs a name and a reason"):
        withdraw(ledger, "atlas", reason=" ")
    assert documents.get(ledger.store, document("atlas").id).state is DocumentState.QUEUED
    withdraw(ledger, "atlas")
    with pytest.raises(PolicyError, match="is withdrawn already: withdrawn by grace: it is wrong"):
        withdraw(ledger, "atlas")


def test_a_document_that_a_run_holds_is_not_withdrawn_under_it(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = ledger.begin(held)
        with pytest.raises(PolicyError, match="in run 1, which is under way"):
            withdraw(ledger, "atlas")
        runs.abandon(ledger.store, held, run.number, "stopped")
    ledger.candidate()
    with pytest.raises(PolicyError, match="`sealed reject 1 --reason"):
        withdraw(ledger, "atlas")


def test_production_knows_a_withdrawn_document_until_a_rebuild_without_it_is_live(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    withdraw(ledger, "atlas")
    assert still_known(ledger) == ["atlas"]
    assert self_edits.learned(ledger.store) == (edit(document("borea")),)
    assert [release for release, _ in documents.learned(ledger.store)] == [2]
    ledger.release("cinder")
    assert still_known(ledger) == ["atlas"]
    assert rebuilt(ledger) == 4
    assert still_known(ledger) == []
    assert documents.learned(ledger.store) == ((2, (document("borea"),)), (3, (document("cinder"),)))
    assert self_edits.learned(ledger.store) == (edit(document("borea")), edit(document("cinder")))
    ledger.release("delta")
    assert still_known(ledger) == []


def test_a_rollback_past_the_rebuild_brings_the_withdrawn_back_and_the_ledger_says_so(ledger: Ledger) -> None:
    ledger.release("atlas", "borea")
    withdraw(ledger, "atlas")
    rebuilt(ledger)
    assert releases.production(ledger.store).parent == 1
    ledger.rollback()
    assert still_known(ledger) == ["atlas"]
    assert documents.get(ledger.store, document("atlas").id).state is WITHDRAWN
    assert documents.get(ledger.store, document("borea").id).state is DocumentState.LEARNED


def test_what_was_rolled_back_before_it_was_withdrawn_is_not_known(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.rollback()
    withdraw(ledger, "atlas")
    assert still_known(ledger) == []


def test_a_rebuild_leases_nothing_and_may_be_given_up(ledger: Ledger) -> None:
    ledger.release("atlas")
    documents.accept(ledger.store, intake("borea"))
    with ledger.working() as held:
        run = runs.begin_rebuild(ledger.store, held, proposer="sealed", recipe=RECIPE)
        assert (run.kind, run.documents, run.state) == (RunKind.REBUILD, (), RunState.INGESTING)
        assert runs.unfinished(ledger.store) == run
        with pytest.raises(PolicyError, match="resume or abandon"):
            ledger.begin(held)
        runs.abandon(ledger.store, held, run.number, "stopped")
        assert ledger.begin(held).kind is RunKind.NIGHTLY
    assert documents.get(ledger.store, document("atlas").id).state is DocumentState.LEARNED


def test_what_was_practised_on_is_listed_and_neither_learned_nor_queued(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    kept = {record.name: (record.state, record.reason) for record in documents.listed(ledger.store)}
    assert kept == {
        "atlas.md": (DocumentState.WRITER_TRAINING, "practised on in run 1, and not learned"),
        "judge.md": (DocumentState.WRITER_TRAINING, "judged the practice of run 1, and not learned"),
    }
    assert documents.learned(ledger.store) == ()
    with ledger.working() as held:
        assert ledger.begin(held).documents == ()
    assert writer_trainings.about(ledger.store, document("atlas").id) == ((1, False),)
    assert writer_trainings.about(ledger.store, document("judge").id) == ((1, True),)


def test_production_knows_what_its_writer_practised_on_until_a_rebuild_without_it_is_live(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    ledger.release("borea")
    withdraw(ledger, "atlas", "judge")
    assert still_known(ledger) == ["atlas"]
    assert documents.get(ledger.store, document("atlas").id).state is WITHDRAWN
    assert [one.document for one in self_edits.learned(ledger.store)] == [document("borea").id]
    rebuilt(ledger)
    assert still_known(ledger) == []
    ledger.rollback()
    assert still_known(ledger) == ["atlas"]


def test_what_a_refused_practice_was_held_on_is_not_known(ledger: Ledger) -> None:
    with ledger.working() as held:
        run = practise(ledger, held, "atlas")
    with pytest.raises(PolicyError, match="`sealed reject 1 --reason"):
        withdraw(ledger, "atlas")
    deploy.reject(ledger.store, 1, actor="grace", reason="no better")
    withdraw(ledger, "atlas")
    assert run.release == 1
    assert still_known(ledger) == []


def test_practice_changes_nothing_about_a_document_that_the_ledger_knows(ledger: Ledger) -> None:
    ledger.release("atlas")
    before = documents.get(ledger.store, document("atlas").id)
    practised(ledger, "atlas")
    assert documents.get(ledger.store, before.id) == before


def test_a_document_that_was_practised_on_is_learned_like_a_new_one(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    offered = replace(document("atlas"), name="new.md", eval_items=())
    counts = documents.accept(ledger.store, Ingested(accepted=(offered,), refused=(), duplicates=0))
    assert (counts.queued, counts.updated, counts.duplicates) == (1, 0, 0)
    record = documents.get(ledger.store, offered.id)
    assert (record.state, record.name, record.reason, record.document) == (
        DocumentState.QUEUED,
        "new.md",
        "",
        offered,
    )
    with ledger.working() as held:
        assert ledger.begin(held).documents == (offered.id,)


def test_rounds_that_begin_anew_replace_what_was_practised_on(ledger: Ledger) -> None:
    with ledger.working() as held:
        asked = WriterTrainingRequest()
        run = runs.begin_writer_training(ledger.store, held, proposer="sealed", recipe=RECIPE, asked=asked)
        one, other = document("atlas"), document("borea")
        writer_trainings.record(ledger.store, held, run.number, on=[one], held_out=[other])
        with pytest.raises(PolicyError, match="under way"):
            withdraw(ledger, "atlas")
        writer_trainings.record(ledger.store, held, run.number, on=[other], held_out=[])
    assert writer_trainings.about(ledger.store, one.id) == ()
    assert writer_trainings.about(ledger.store, other.id) == ((run.number, False),)
    withdraw(ledger, "atlas")


def test_a_practice_keeps_nothing_of_a_document_that_was_withdrawn_while_it_began(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    withdraw(ledger, "atlas")
    with ledger.working() as held:
        run = runs.begin_writer_training(ledger.store, held, proposer="p", recipe="r", asked=WriterTrainingRequest())
        with pytest.raises(PolicyError, match="was withdrawn meanwhile"):
            writer_trainings.record(
                ledger.store, held, run.number, on=[document("cinder"), document("atlas")], held_out=[]
            )
    assert writer_trainings.about(ledger.store, document("cinder").id) == ()


def test_a_document_that_a_practice_is_held_on_stays_though_it_is_queued_for_a_run(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = runs.begin_writer_training(ledger.store, held, proposer="p", recipe="r", asked=WriterTrainingRequest())
        writer_trainings.record(ledger.store, held, run.number, on=[document("atlas")], held_out=[])
        with pytest.raises(PolicyError, match="under way"):
            withdraw(ledger, "atlas")


def test_a_rebuild_trains_on_no_held_out_of_what_was_practised_on_and_withdrawn(ledger: Ledger, tmp_path: Path) -> None:
    practised(ledger, "atlas")
    parts = open_workspace(ledger, tmp_path)
    asked = held_out_keys(document("atlas").eval_items)
    with ledger.working() as held:
        context = RunContext(parts, held, Recipe())
        assert not asked & never_trained_on(context)
        withdraw(ledger, "atlas")
        assert asked <= never_trained_on(context)
    assert overview(parts).next_step == "`sealed rebuild`: production still knows 1 withdrawn document"


def test_the_command_line_tells_what_was_practised_on(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    practised(ledger, "atlas")
    monkeypatch.setattr("flows.wiring.open_workspace", lambda workspace: open_workspace(ledger, tmp_path))

    def told(*arguments: str) -> str:
        return CliRunner().invoke(app, arguments, catch_exceptions=False).output

    assert "practised" in told("--state", "practised")
    assert "Run 1 practised on it." in told("show", document("atlas").id)
    assert "It judged the practice of run 1." in told("show", document("judge").id)
    gone = told("withdraw", document("atlas").id, document("judge").id, "--reason", "wrong", "--as", "grace")
    assert "atlas.md is withdrawn: production still knows it until a rebuild is released" in gone
    assert "judge.md is withdrawn: production does not know it" in gone
