"""The ledger's contract, on SQLite and on Postgres: schema, history, documents, self-edits, runs."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

import registry
from pipeline.errors import (
    BadInput,
    ConstraintBroken,
    DatabaseFailed,
    InternalError,
    ModelChanged,
    NoSuchDocument,
    PolicyError,
)
from pipeline.types import (
    Bisection,
    DocumentDecision,
    DocumentState,
    EditSet,
    EvalItem,
    Ingested,
    ModelRef,
    Origin,
    Refusal,
    ReleaseState,
    RunState,
    Selection,
    Split,
    Verdict,
)
from registry import create_ledger, open_ledger
from registry.tables import HEAD, METADATA, VERSION_TABLE
from tests.ledgers import BASE, Ledger, document, edit, intake, manifest_of, report_on

QUEUED, LEASED, LEARNED = DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED
QUARANTINED = DocumentState.QUARANTINED


def test_the_migrations_make_exactly_the_tables_we_query(empty_ledger: registry.Ledger) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from registry.migrations.upgrade import configuration

    with empty_ledger.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert ScriptDirectory.from_config(configuration(connection)).get_current_head() == HEAD


def test_opening_an_existing_ledger_does_not_load_alembic(url: str, empty_ledger: registry.Ledger) -> None:
    code = f"import sys; from registry import open_ledger; open_ledger({url!r}); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_ledger_of_another_version_is_refused(url: str, empty_ledger: registry.Ledger) -> None:
    with empty_ledger.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseFailed, match="another version of sealed"):
        open_ledger(url)


def test_several_processes_may_make_a_new_ledger_at_once(url: str) -> None:
    code = f"from registry import create_ledger; create_ledger({url!r})"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [child.wait(120) for child in children] == [0, 0, 0]


@pytest.mark.parametrize("opened", [open_ledger, create_ledger])
@pytest.mark.parametrize("bad", ["nonsense", "sqlite:///:memory:", "sqlite:////nowhere/at/all/ledger.db"])
def test_an_unusable_address_says_what_to_do(bad: str, opened: Callable[[str], registry.Ledger]) -> None:
    with pytest.raises(DatabaseFailed, match=r"Use|Run|Correct"):
        opened(bad)


@pytest.mark.parametrize("opened", [open_ledger, create_ledger])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, opened: Callable[[str], registry.Ledger]
) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"these are notes, and no database at all" * 40)
    with pytest.raises(DatabaseFailed, match="not a database"):
        opened(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"these are notes")


def test_a_database_without_a_ledger_is_not_made_one_by_opening_it(url: str) -> None:
    """A server's empty database has no file to miss; a SQLite file may hold tables of something else."""
    other = create_engine(url)
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE notes (line TEXT)"))
    with pytest.raises(DatabaseFailed, match="none of a ledger's tables"):
        open_ledger(url)
    assert inspect(other).get_table_names() == ["notes"]
    other.dispose()


@pytest.mark.parametrize("content", [None, b""])
def test_a_ledger_that_is_gone_is_not_made_by_opening_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a folder" / "ledger #1.db"
    file.parent.mkdir()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DatabaseFailed, match="backup"):
        open_ledger(f"sqlite:///{file}")
    assert [(one.name, one.stat().st_size) for one in file.parent.iterdir()] == (
        [] if content is None else [(file.name, 0)]
    )
    create_ledger(f"sqlite:///{file}").close()
    open_ledger(f"sqlite:///{file}").close()


def test_a_ledger_that_disappears_while_it_is_open_is_not_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    create_ledger(f"sqlite:///{file}").close()
    ledger = open_ledger(f"sqlite:///{file}")
    ledger.close()  # the pool's connections; the next transaction opens the file again
    file.unlink()
    with pytest.raises(DatabaseFailed, match="unable to open"):
        ledger.releases.production()
    assert not file.exists()


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.releases.production(),
        lambda ledger: ledger.releases.needed(),
        lambda ledger: ledger.deployments.listed(),
        lambda ledger: Ledger(ledger.database).rollback(),
    ],
)
def test_a_ledger_that_was_emptied_says_what_to_do(
    empty_ledger: registry.Ledger, ask: Callable[[registry.Ledger], object]
) -> None:
    with pytest.raises(DatabaseFailed, match="backup"):
        ask(empty_ledger)


def test_a_second_base_release_changes_nothing_and_another_base_is_refused(ledger: Ledger) -> None:
    again = ledger.releases.create_base_release(BASE, "somebody else")
    assert (again.number, again.state, again.proposer) == (0, ReleaseState.PRODUCTION, "ada")
    assert [one.epoch for one in ledger.deployments.listed()] == [0]
    with pytest.raises(ModelChanged, match="Put the old model back"):
        ledger.releases.create_base_release(ModelRef(base="f" * 64), "ada")


DEPLOYED = "release, actor, account, identity, reason, at"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deployments SET actor = 'mallory'",
        "DELETE FROM deployments",
        "UPDATE approvals SET actor = 'mallory'",
        "DELETE FROM approvals",
        "UPDATE history SET actor = 'mallory'",
        "DELETE FROM history",
        f"INSERT INTO deployments SELECT 7, {DEPLOYED} FROM deployments WHERE epoch = 0",
        f"INSERT INTO deployments SELECT 0, {DEPLOYED} FROM deployments WHERE epoch = 0",
        "UPDATE releases SET state = 'production'",
        "UPDATE documents SET state = 'learned', release = NULL, run = NULL",
        "UPDATE documents SET state = 'forgotten'",
    ],
)
def test_the_database_itself_keeps_history_and_invariants(ledger: Ledger, statement: str) -> None:
    ledger.release("atlas")
    history = ledger.deployments.listed()
    with pytest.raises(ConstraintBroken), ledger.database.write() as connection:
        connection.execute(text(statement))
    assert ledger.deployments.listed() == history


def test_a_reader_sees_one_state_of_the_ledger_whatever_others_write_meanwhile(ledger: Ledger) -> None:
    waiting = ledger.candidate("atlas").number
    with ledger.database.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM deployments")).scalar_one()
        ledger.promote(waiting)
        assert connection.execute(text("SELECT count(*) FROM deployments")).scalar_one() == before
        assert connection.execute(text("SELECT number FROM releases WHERE state = 'production'")).scalar_one() == 0
    assert ledger.releases.production().number == waiting


def test_intake_is_idempotent_in_every_state(ledger: Ledger) -> None:
    first = ledger.documents.accept(intake("atlas", "borea"))
    assert (first.queued, first.duplicates) == (2, 0)
    ledger.release()
    again = ledger.documents.accept(intake("atlas", "borea", "cinder"))
    assert (again.queued, again.duplicates) == (1, 2)
    assert ledger.documents.count() == ((QUEUED, 1), (LEARNED, 2))


def test_mended_questions_replace_those_of_a_document_that_is_not_in_use(ledger: Ledger) -> None:
    eval_item = EvalItem(question="Whose is atlas?", answers=("Heron",), group="atlas")
    updated = Ingested(
        accepted=(replace(document("atlas"), eval_items=(eval_item, eval_item)),), refused=(), duplicates=0
    )
    ledger.documents.accept(intake("atlas", "borea"))
    counts = ledger.documents.accept(updated)
    assert (counts.queued, counts.duplicates, counts.updated) == (0, 0, 1)
    assert ledger.documents.of([document("atlas").id])[0].eval_items == (eval_item, eval_item)
    assert ledger.documents.of([document("borea").id]) == (document("borea"),)
    again = ledger.documents.accept(updated)
    assert (again.duplicates, again.updated) == (1, 0)
    ledger.documents.quarantine(document("atlas").id, "wrong answers")
    assert ledger.documents.accept(intake("atlas")).updated == 1
    assert ledger.documents.get(document("atlas").id).document == document("atlas")


def test_a_document_that_a_run_holds_or_a_release_learned_keeps_its_questions(ledger: Ledger) -> None:
    updated = Ingested(accepted=(replace(document("atlas"), eval_items=()),), refused=(), duplicates=0)
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        assert ledger.documents.accept(updated).updated == 0
        session.runs.abandon(run.number, "production moved")
    ledger.release()
    counts = ledger.documents.accept(updated)
    assert (counts.duplicates, counts.updated) == (1, 0)
    assert ledger.documents.of([document("atlas").id]) == (document("atlas"),)


def test_the_same_content_twice_in_one_intake_is_one_document(ledger: Ledger) -> None:
    one, other = document("atlas"), document("atlas")
    counts = ledger.documents.accept(Ingested(accepted=(one, other), refused=(), duplicates=3))
    assert (counts.queued, counts.duplicates) == (1, 4)


def test_a_document_comes_back_as_it_went_in(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    record = ledger.documents.get(document("atlas").id[:8])
    assert record.document == document("atlas")
    assert record.document is not None
    assert record.document.eval_items[0].answers == ("Heron", "the Heron team")
    assert ledger.documents.of([record.id]) == (document("atlas"),)


@pytest.mark.parametrize(("asked", "error"), [("zz", BadInput), ("abc", BadInput), ("0000", NoSuchDocument)])
def test_a_document_that_cannot_be_named_so(ledger: Ledger, asked: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="sealed documents"):
        ledger.documents.get(asked)


def test_an_ambiguous_beginning_is_not_guessed(ledger: Ledger) -> None:
    with ledger.database.write() as connection:
        for last in "ab":
            connection.execute(
                text("INSERT INTO documents (id, state, name, added) VALUES (:id, 'quarantined', 'x', '2026-01-01')"),
                {"id": "dead" * 15 + "bee" + last},
            )
    with pytest.raises(BadInput, match="give more digits"):
        ledger.documents.get("deadde")


def test_a_refused_input_is_shown_and_no_longer_open_once_updated(ledger: Ledger) -> None:
    bad = Refusal(name="atlas.md", reason="not UTF-8")
    assert ledger.documents.accept(Ingested(accepted=(), refused=(bad,), duplicates=0)).refused == 1
    (shown,) = ledger.documents.listed(QUARANTINED)
    assert (shown.name, shown.reason, shown.document) == ("atlas.md", "not UTF-8", None)
    with pytest.raises(PolicyError, match="correct the file"):
        ledger.documents.requeue([shown.id])
    ledger.documents.accept(intake("atlas"))
    assert ledger.documents.get(bad.id).state is DocumentState.DISCARDED
    ledger.documents.accept(Ingested(accepted=(), refused=(bad,), duplicates=0))
    assert ledger.documents.get(bad.id).state is QUARANTINED


def test_a_waiting_document_is_set_aside_and_lets_itself_be_queued_again(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    id_ = document("atlas").id
    assert ledger.documents.quarantine(id_, "wrong source").reason == "wrong source"
    with pytest.raises(PolicyError, match="is quarantined"):
        ledger.documents.quarantine(id_, "again")
    (queued,) = ledger.documents.requeue([id_, id_[:8]])
    assert queued.state is QUEUED


def test_documents_are_queued_again_all_or_none(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea"))
    aside, waiting = document("atlas").id, document("borea").id
    ledger.documents.quarantine(aside, "wrong source")
    with pytest.raises(PolicyError, match="is queued"):
        ledger.documents.requeue([aside, waiting])
    assert ledger.documents.get(aside).state is QUARANTINED


def test_a_run_takes_the_oldest_documents_up_to_its_limit(ledger: Ledger) -> None:
    ledger.documents.accept(intake("one", "two"))
    ledger.documents.accept(intake("aaa"))
    with ledger.session() as session:
        run = ledger.begin(session, limit=2)
    assert run.documents == (document("one").id, document("two").id)
    assert ledger.documents.count() == ((QUEUED, 1), (LEASED, 2))
    assert ledger.documents.get(run.documents[0]).attempts == 1


def test_a_run_without_documents_is_recorded_as_empty(ledger: Ledger) -> None:
    with ledger.session() as session:
        run = ledger.begin(session)
    assert (run.state, run.documents) == (RunState.EMPTY, ())
    assert run.finished is not None
    assert ledger.runs.unfinished() is None


def test_a_killed_run_is_found_with_its_documents_and_a_second_is_refused(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea"))
    with ledger.session() as session:
        run = ledger.begin(session)
        session.runs.move(run.number, RunState.WRITING)
    with ledger.session() as session:
        found = ledger.runs.unfinished()
        assert found is not None
        assert (found.documents, found.state) == (run.documents, RunState.WRITING)
        with pytest.raises(PolicyError, match="resume or abandon"):
            ledger.begin(session)


def test_what_a_run_chose_is_kept_once_and_its_notes_bear_their_candidates_rewards(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    one = document("atlas")
    notes = [edit(one, sample) for sample in range(2)]
    own = [
        EditSet(number=at, self_edits=(note.id,), examples=1, reward=reward)
        for at, (note, reward) in enumerate(zip(notes, (0.25, 0.5), strict=True))
    ]
    choice = Selection(document=one.id, kept=1, candidates=tuple(own), sentence="the better one")
    with ledger.session() as session:
        run = ledger.begin(session)
        session.self_edits.save(run.number, notes)
        assert [note.reward for note in ledger.self_edits.of_run(run.number)] == [None, None]
        session.self_edits.save_selections(run.number, [choice])
        session.self_edits.save_selections(run.number, [replace(choice, kept=0)])
    assert ledger.self_edits.selections_of(run.number) == (choice,)
    assert ledger.self_edits.selections_about(one.id) == ((run.number, choice),)
    found = ledger.self_edits.of_run(run.number)
    assert [note.reward for note in found] == [0.25, 0.5]
    assert [note.id for note in found] == [note.id for note in notes]


def test_questions_of_the_models_come_after_those_a_document_brought_and_only_once(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea"))
    one, other = document("atlas"), document("borea")
    wrote = [
        EvalItem(question=f"Whose is atlas {at}?", answers=("Heron",), split=Split.VALIDATION, origin=Origin.MODEL)
        for at in range(3)
    ]
    with ledger.session() as session:
        session.documents.add_items({one.id: wrote[:2]})
        session.documents.add_items({one.id: wrote[2:], other.id: wrote[2:]})
    first, second = ledger.documents.of([one.id, other.id])
    assert first.eval_items == (*one.eval_items, *wrote[:2])
    assert second.eval_items == (*other.eval_items, wrote[2])
    assert first.id == one.id


def test_an_abandoned_run_gives_its_documents_back_and_counts_no_attempt(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        update = ledger.gate(session, run)
        release = session.candidates.intend(run.number, manifest_of(update))
        ended = session.runs.abandon(run.number, "production moved")
    record = ledger.documents.get(run.documents[0])
    assert (ended.state, record.state, record.attempts) == (RunState.ABANDONED, QUEUED, 0)
    assert ledger.releases.get(release.number).state is ReleaseState.VOID


def test_a_rejected_run_settles_each_document_as_decided(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea"))
    with ledger.session() as session:
        run = ledger.begin(session)
        ledger.gate(session, run, Verdict.FAIL)
        culprit, other = run.documents
        decision = DocumentDecision(document=culprit, state=QUARANTINED, reason="contradicts what is known")
        session.runs.finish(run.number, RunState.REJECTED_BY_GATES, "retention: FAIL", [decision])
    assert ledger.documents.get(culprit).reason == "contradicts what is known"
    assert ledger.documents.get(other).state is QUEUED
    assert ledger.documents.get(other).attempts == 1
    assert ledger.runs.get(run.number).sentence == "retention: FAIL"


def test_a_run_sets_documents_aside_with_its_report_and_goes_on_with_the_others(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas", "borea", "cinder"))
    with ledger.session() as session:
        run = ledger.begin(session)
        report = report_on(ledger.gate(session, run, Verdict.FAIL), Verdict.FAIL)
        culprit, *others = run.documents
        log = Bisection(documents=run.documents, gates=("retention",), failed="retention: -9", limit=32)
        decision = DocumentDecision(document=culprit, state=QUARANTINED, reason="retention: -9 with it alone")
        left = session.runs.set_aside(run.number, replace(report, bisection=log), [decision])
        assert left.documents == tuple(others)
        assert left.report is not None
        assert ledger.reports.get(left.report).bisection == log
        assert ledger.documents.ledger_digest(left) != ledger.documents.ledger_digest(run)
        with pytest.raises(InternalError, match="does not hold"):
            session.runs.set_aside(run.number, report, [decision])
        update = ledger.gate(session, left)
        release = session.candidates.intend(run.number, manifest_of(update))
        session.candidates.record(run.number, "1")
    assert ledger.documents.get(culprit).reason == "retention: -9 with it alone"
    ledger.promote(release.number)
    states = {one.id: one.state for one in ledger.documents.listed()}
    assert states == {culprit: QUARANTINED} | dict.fromkeys(others, LEARNED)
    assert {edit.document for edit in ledger.self_edits.learned()} == set(others)
    (again,) = ledger.documents.requeue([culprit])
    assert again.state is QUEUED


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_only_a_passing_run_gets_a_release_number(ledger: Ledger, verdict: Verdict) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        update = ledger.gate(session, run, verdict)
        with pytest.raises(PolicyError, match="did not pass"):
            session.candidates.intend(run.number, manifest_of(update))
    assert [one.number for one in ledger.releases.listed()] == [0]


def test_intending_and_recording_a_release_twice_gives_one(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        manifest = manifest_of(ledger.gate(session, run))
        first = session.candidates.intend(run.number, manifest)
        assert session.candidates.intend(run.number, manifest) == first
        recorded = session.candidates.record(run.number, "1")
        assert session.candidates.record(run.number, "1") == recorded
    assert recorded.state is ReleaseState.CANDIDATE
    assert ledger.runs.get(run.number).state is RunState.WAITING
    assert ledger.runs.unfinished() is None


def test_self_edits_and_reports_come_back_as_they_went_in(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    edits = (edit(document("atlas"), 1), edit(document("atlas"), 0))
    with ledger.session() as session:
        run = ledger.begin(session)
        session.self_edits.save(run.number, edits[:1])
        session.self_edits.save(run.number, edits)
        update = ledger.gate(session, run)
    assert ledger.self_edits.of_run(run.number)[:2] == edits
    assert ledger.reports.get(report_on(update).digest) == report_on(update)
    assert ledger.reports.update(update.id) == update


def test_only_what_production_was_trained_on_is_replayed(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.candidate("borea")
    assert ledger.self_edits.learned() == (edit(document("atlas")),)
    ledger.promote(2)
    assert ledger.self_edits.learned() == (edit(document("atlas")), edit(document("borea")))
    assert ledger.documents.learned() == ((1, (document("atlas"),)), (2, (document("borea"),)))
    ledger.rollback()
    assert ledger.self_edits.learned() == (edit(document("atlas")),)


def test_seconds_of_a_resumed_stage_add_up(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        session.runs.add_seconds(run.number, "training", 2.0)
        session.runs.add_seconds(run.number, "training", 3.0)
    assert [(one.stage, one.seconds) for one in ledger.runs.get(run.number).seconds] == [("training", 5.0)]


def test_adapters_of_production_of_the_three_before_it_and_of_candidates_are_needed(ledger: Ledger) -> None:
    for name in ("atlas", "borea", "cinder", "delta"):
        ledger.release(name)
    ledger.candidate("ember")
    assert [one.number for one in ledger.releases.needed()] == [1, 2, 3, 4, 5]
    ledger.rollback()
    assert [one.number for one in ledger.releases.needed()] == [1, 2, 3]


def test_a_statement_that_the_database_does_not_take_is_a_failure_in_words(ledger: Ledger) -> None:
    """As where a table was dropped, or the account may no longer read it."""
    with pytest.raises(DatabaseFailed, match="Nothing of this step was kept"), ledger.database.write() as connection:
        connection.execute(text("SELECT 1 FROM gone"))
