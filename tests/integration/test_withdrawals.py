"""Withdrawing documents on real databases: who may go when, what comes back, and what production still knows."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from flows.cli.documents import app
from flows.run_context import RunContext
from flows.services.status import overview
from flows.steps.guard import never_trained_on
from flows.wiring import Workspace
from pipeline.config import Settings
from pipeline.errors import BadInput, ConstraintBroken, NoSuchDocument, PolicyError
from pipeline.leakage import held_out_keys
from pipeline.recipe import Recipe
from pipeline.types import (
    DocumentState,
    Ingested,
    RunKind,
    RunState,
    WriterTrainingRequest,
)
from tests.ledgers import NOON, RECIPE, Ledger, document, edit, intake, practise, practised, rebuilt

WITHDRAWN = DocumentState.WITHDRAWN


def withdraw(ledger: Ledger, *names: str, reason: str = "it is wrong") -> None:
    ids = [document(name).id for name in names]
    ledger.withdrawals.withdraw(ids, actor="grace", reason=reason, at=NOON)


def still_known(ledger: Ledger) -> list[str]:
    return [one.title for one in ledger.withdrawals.remembered()]


def open_workspace(ledger: Ledger, folder: Path) -> Workspace:
    names = ("model", "base_model", "base_tokenizer", "base_chat_template")
    (folder / "recipe.toml").touch()
    return Workspace(Settings.at(folder, dict.fromkeys(names, "x")), ledger)


def test_a_withdrawal_is_recorded_with_name_reason_and_time(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    named = {"actor": "grace", "account": "alice", "reason": "it is wrong"}
    (record,) = ledger.withdrawals.withdraw([document("atlas").id[:8]], at=NOON, **named)
    assert (record.state, record.reason) == (WITHDRAWN, "withdrawn by grace: it is wrong")
    (found,) = ledger.withdrawals.listed()
    assert (found.document, found.actor, found.reason, found.at) == (record.id, "grace", "it is wrong", NOON)
    assert found.account == "alice"
    with pytest.raises(ConstraintBroken), ledger.database.write() as connection:
        connection.execute(text("DELETE FROM withdrawals"))


def test_a_queued_or_quarantined_document_is_never_learned_once_withdrawn(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea", "cinder"))
    ledger.documents.quarantine(document("borea").id, "doubtful")
    withdraw(ledger, "atlas", "borea")
    with ledger.session() as session:
        assert ledger.begin(session).documents == (document("cinder").id,)
    assert still_known(ledger) == []
    with pytest.raises(PolicyError, match="is withdrawn: it cannot become queued"):
        ledger.documents.requeue([document("atlas").id])


def test_a_withdrawn_document_is_not_practised_on(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea"))
    withdraw(ledger, "atlas")
    left = ledger.documents.without_withdrawn(intake("atlas", "borea"))
    assert [one.title for one in left.accepted] == [document("borea").title]
    assert [refusal.reason.startswith("not taken again") for refusal in left.refused] == [True]


def test_a_withdrawn_document_that_is_offered_again_is_refused_with_the_reason(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    withdraw(ledger, "atlas")
    counts = ledger.documents.accept(intake("atlas", "borea"))
    assert (counts.queued, counts.refused, counts.duplicates) == (1, 1, 0)
    (refusal,) = ledger.documents.listed(DocumentState.QUARANTINED)
    assert refusal.name == "atlas.md"
    assert refusal.reason.startswith("not taken again: document ")
    assert refusal.reason.endswith("was withdrawn by grace: it is wrong")
    again = ledger.documents.accept(intake("atlas"))
    assert (again.queued, again.refused) == (0, 0)
    assert ledger.documents.get(document("atlas").id).state is WITHDRAWN
    assert ledger.documents.get(refusal.id).state is DocumentState.QUARANTINED


def test_what_cannot_be_withdrawn_is_told_with_the_way_out_and_nothing_is_withdrawn(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    with pytest.raises(NoSuchDocument):
        ledger.withdrawals.withdraw([document("atlas").id, "0000"], actor="grace", reason="wrong")
    with pytest.raises(BadInput, match="needs a name and a reason"):
        withdraw(ledger, "atlas", reason=" ")
    assert ledger.documents.get(document("atlas").id).state is DocumentState.QUEUED
    withdraw(ledger, "atlas")
    with pytest.raises(PolicyError, match="is withdrawn already: withdrawn by grace: it is wrong"):
        withdraw(ledger, "atlas")


def test_a_document_that_a_run_holds_is_not_withdrawn_under_it(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        with pytest.raises(PolicyError, match="in run 1, which is under way"):
            withdraw(ledger, "atlas")
        session.runs.abandon(run.number, "stopped")
    ledger.candidate()
    with pytest.raises(PolicyError, match="`sealed reject 1 --reason"):
        withdraw(ledger, "atlas")


def test_production_knows_a_withdrawn_document_until_a_rebuild_without_it_is_live(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    withdraw(ledger, "atlas")
    assert still_known(ledger) == ["atlas"]
    assert ledger.self_edits.learned() == (edit(document("borea")),)
    assert [release for release, _ in ledger.documents.learned()] == [2]
    ledger.release("cinder")
    assert still_known(ledger) == ["atlas"]
    assert rebuilt(ledger) == 4
    assert still_known(ledger) == []
    assert ledger.documents.learned() == ((2, (document("borea"),)), (3, (document("cinder"),)))
    assert ledger.self_edits.learned() == (edit(document("borea")), edit(document("cinder")))
    ledger.release("delta")
    assert still_known(ledger) == []


def test_a_rollback_past_the_rebuild_brings_the_withdrawn_back_and_the_ledger_says_so(ledger: Ledger) -> None:
    ledger.release("atlas", "borea")
    withdraw(ledger, "atlas")
    rebuilt(ledger)
    assert ledger.releases.production().parent == 1
    ledger.rollback()
    assert still_known(ledger) == ["atlas"]
    assert ledger.documents.get(document("atlas").id).state is WITHDRAWN
    assert ledger.documents.get(document("borea").id).state is DocumentState.LEARNED


def test_what_was_rolled_back_before_it_was_withdrawn_is_not_known(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.rollback()
    withdraw(ledger, "atlas")
    assert still_known(ledger) == []


def test_a_rebuild_leases_nothing_and_may_be_given_up(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.documents.accept(intake("borea"))
    with ledger.session() as session:
        run = session.runs.begin_rebuild(proposer="sealed", recipe=RECIPE)
        assert (run.kind, run.documents, run.state) == (RunKind.REBUILD, (), RunState.INGESTING)
        assert ledger.runs.unfinished() == run
        with pytest.raises(PolicyError, match="resume or abandon"):
            ledger.begin(session)
        session.runs.abandon(run.number, "stopped")
        assert ledger.begin(session).kind is RunKind.NIGHTLY
    assert ledger.documents.get(document("atlas").id).state is DocumentState.LEARNED


def test_what_was_practised_on_is_listed_and_neither_learned_nor_queued(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    kept = {record.name: (record.state, record.reason) for record in ledger.documents.listed()}
    assert kept == {
        "atlas.md": (DocumentState.WRITER_TRAINING, "used to train the writer in run 1, and not learned"),
        "judge.md": (DocumentState.WRITER_TRAINING, "used to evaluate the writer of run 1, and not learned"),
    }
    assert ledger.documents.learned() == ()
    with ledger.session() as session:
        assert ledger.begin(session).documents == ()
    assert ledger.writer_trainings.about(document("atlas").id) == ((1, False),)
    assert ledger.writer_trainings.about(document("judge").id) == ((1, True),)


def test_production_knows_what_its_writer_practised_on_until_a_rebuild_without_it_is_live(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    ledger.release("borea")
    withdraw(ledger, "atlas", "judge")
    assert still_known(ledger) == ["atlas"]
    assert ledger.documents.get(document("atlas").id).state is WITHDRAWN
    assert [one.document for one in ledger.self_edits.learned()] == [document("borea").id]
    rebuilt(ledger)
    assert still_known(ledger) == []
    ledger.rollback()
    assert still_known(ledger) == ["atlas"]


def test_what_a_refused_practice_was_held_on_is_not_known(ledger: Ledger) -> None:
    with ledger.session() as session:
        run = practise(ledger, session, "atlas")
    with pytest.raises(PolicyError, match="`sealed reject 1 --reason"):
        withdraw(ledger, "atlas")
    ledger.reject(1, actor="grace", reason="no better")
    withdraw(ledger, "atlas")
    assert run.release == 1
    assert still_known(ledger) == []


def test_practice_changes_nothing_about_a_document_that_the_ledger_knows(ledger: Ledger) -> None:
    ledger.release("atlas")
    before = ledger.documents.get(document("atlas").id)
    practised(ledger, "atlas")
    assert ledger.documents.get(before.id) == before


def test_a_document_that_was_practised_on_is_learned_like_a_new_one(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    offered = replace(document("atlas"), name="new.md", eval_items=())
    counts = ledger.documents.accept(Ingested(accepted=(offered,), refused=(), duplicates=0))
    assert (counts.queued, counts.updated, counts.duplicates) == (1, 0, 0)
    record = ledger.documents.get(offered.id)
    assert (record.state, record.name, record.reason, record.document) == (
        DocumentState.QUEUED,
        "new.md",
        "",
        offered,
    )
    with ledger.session() as session:
        assert ledger.begin(session).documents == (offered.id,)


def test_rounds_that_begin_anew_replace_what_was_practised_on(ledger: Ledger) -> None:
    with ledger.session() as session:
        asked = WriterTrainingRequest()
        run = session.runs.begin_writer_training(proposer="sealed", recipe=RECIPE, asked=asked)
        one, other = document("atlas"), document("borea")
        session.writer_trainings.record(run.number, on=[one], held_out=[other])
        with pytest.raises(PolicyError, match="under way"):
            withdraw(ledger, "atlas")
        session.writer_trainings.record(run.number, on=[other], held_out=[])
    assert ledger.writer_trainings.about(one.id) == ()
    assert ledger.writer_trainings.about(other.id) == ((run.number, False),)
    withdraw(ledger, "atlas")


def test_a_practice_keeps_nothing_of_a_document_that_was_withdrawn_while_it_began(ledger: Ledger) -> None:
    practised(ledger, "atlas")
    withdraw(ledger, "atlas")
    with ledger.session() as session:
        run = session.runs.begin_writer_training(proposer="p", recipe="r", asked=WriterTrainingRequest())
        with pytest.raises(PolicyError, match="was withdrawn meanwhile"):
            session.writer_trainings.record(run.number, on=[document("cinder"), document("atlas")], held_out=[])
    assert ledger.writer_trainings.about(document("cinder").id) == ()


def test_a_document_that_a_practice_is_held_on_stays_though_it_is_queued_for_a_run(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = session.runs.begin_writer_training(proposer="p", recipe="r", asked=WriterTrainingRequest())
        session.writer_trainings.record(run.number, on=[document("atlas")], held_out=[])
        with pytest.raises(PolicyError, match="under way"):
            withdraw(ledger, "atlas")


def test_a_rebuild_trains_on_no_held_out_of_what_was_practised_on_and_withdrawn(ledger: Ledger, tmp_path: Path) -> None:
    practised(ledger, "atlas")
    parts = open_workspace(ledger, tmp_path)
    asked = held_out_keys(document("atlas").eval_items)
    with ledger.session() as session:
        context = RunContext(parts, session, Recipe())
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

    assert "atlas.md" in told("--state", "writer-training")
    assert "Run 1 trained the writer on it." in told("show", document("atlas").id)
    assert "It evaluated the writer of run 1." in told("show", document("judge").id)
    gone = told("withdraw", document("atlas").id, document("judge").id, "--reason", "wrong", "--as", "grace")
    assert "atlas.md is withdrawn: production still knows it until a rebuild is released" in gone
    assert "judge.md is withdrawn: production does not know it" in gone
