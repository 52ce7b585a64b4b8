"""The ledger's contract, on SQLite and on Postgres: schema, history, documents, self-edits, runs."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from pipeline.errors import BadInput, DatabaseFailed, ModelChanged, NoSuchDocument, PolicyError
from pipeline.types import (
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
from registry.store import Store, create_store, documents, open_store, releases, reports, runs, self_edits
from registry.tables import HEAD, METADATA, VERSION_TABLE
from tests.ledgers import BASE, Ledger, document, edit, intake, manifest_of, report_on

QUEUED, LEASED, LEARNED = DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED
QUARANTINED = DocumentState.QUARANTINED


def test_the_migrations_make_exactly_the_tables_we_query(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from registry.migrations.upgrade import configuration

    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert ScriptDirectory.from_config(configuration(connection)).get_current_head() == HEAD


def test_opening_an_existing_ledger_does_not_load_alembic(url: str, store: Store) -> None:
    code = f"import sys; from registry.store import open_store; open_store({url!r}); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_ledger_of_another_version_is_refused(url: str, store: Store) -> None:
    with store.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseFailed, match="another version of sealed"):
        open_store(url)


def test_several_processes_may_make_a_new_ledger_at_once(url: str) -> None:
    code = f"from registry.store import create_store; create_store({url!r})"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [child.wait(120) for child in children] == [0, 0, 0]


@pytest.mark.parametrize("opened", [open_store, create_store])
@pytest.mark.parametrize("bad", ["nonsense", "sqlite:///:memory:", "sqlite:////nowhere/at/all/ledger.db"])
def test_an_unusable_address_says_what_to_do(bad: str, opened: Callable[[str], Store]) -> None:
    with pytest.raises(DatabaseFailed, match=r"Use|Run|Mend"):
        opened(bad)


@pytest.mark.parametrize("opened", [open_store, create_store])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, opened: Callable[[str], Store]) -> None:
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
        open_store(url)
    assert inspect(other).get_table_names() == ["notes"]
    other.dispose()


@pytest.mark.parametrize("content", [None, b""])
def test_a_ledger_that_is_gone_is_not_made_by_opening_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a folder" / "ledger #1.db"
    file.parent.mkdir()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DatabaseFailed, match="backup"):
        open_store(f"sqlite:///{file}")
    assert [(one.name, one.stat().st_size) for one in file.parent.iterdir()] == (
        [] if content is None else [(file.name, 0)]
    )
    create_store(f"sqlite:///{file}").close()
    open_store(f"sqlite:///{file}").close()


def test_a_ledger_that_disappears_while_it_is_open_is_not_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    create_store(f"sqlite:///{file}").close()
    store = open_store(f"sqlite:///{file}")
    store.close()  # the pool's connections; the next transaction opens the file again
    file.unlink()
    with pytest.raises(DatabaseFailed, match="unable to open"), store.read():
        pass
    assert not file.exists()


@pytest.mark.parametrize("ask", [releases.production, releases.needed, releases.deployments])
def test_a_ledger_that_was_emptied_says_what_to_do(store: Store, ask: Callable[[Store], object]) -> None:
    with pytest.raises(DatabaseFailed, match="backup"):
        ask(store)


def test_founding_twice_changes_nothing_and_another_base_is_refused(ledger: Ledger) -> None:
    again = releases.create_base_release(ledger.store, BASE, "somebody else")
    assert (again.number, again.state, again.proposer) == (0, ReleaseState.PRODUCTION, "ada")
    assert [one.epoch for one in releases.deployments(ledger.store)] == [0]
    with pytest.raises(ModelChanged, match="Put the old model back"):
        releases.create_base_release(ledger.store, ModelRef(base="f" * 64), "ada")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deployments SET actor = 'mallory'",
        "DELETE FROM deployments",
        "UPDATE approvals SET actor = 'mallory'",
        "DELETE FROM approvals",
        "INSERT INTO deployments SELECT 7, release, actor, reason, at FROM deployments WHERE epoch = 0",
        "INSERT INTO deployments SELECT 0, release, actor, reason, at FROM deployments WHERE epoch = 0",
        "UPDATE releases SET state = 'production'",
        "UPDATE documents SET state = 'learned', release = NULL, run = NULL",
        "UPDATE documents SET state = 'forgotten'",
    ],
)
def test_the_database_itself_keeps_history_and_invariants(ledger: Ledger, statement: str) -> None:
    ledger.release("atlas")
    history = releases.deployments(ledger.store)
    with pytest.raises(DBAPIError), ledger.store.write() as connection:
        connection.execute(text(statement))
    assert releases.deployments(ledger.store) == history


def test_intake_is_idempotent_in_every_state(ledger: Ledger) -> None:
    first = documents.accept(ledger.store, intake("atlas", "borea"))
    assert (first.queued, first.duplicates) == (2, 0)
    ledger.release()
    again = documents.accept(ledger.store, intake("atlas", "borea", "cinder"))
    assert (again.queued, again.duplicates) == (1, 2)
    assert documents.count(ledger.store) == ((QUEUED, 1), (LEARNED, 2))


def test_mended_questions_replace_those_of_a_document_that_is_not_in_use(ledger: Ledger) -> None:
    eval_item = EvalItem(question="Whose is atlas?", answers=("Heron",), group="atlas")
    updated = Ingested(
        accepted=(replace(document("atlas"), eval_items=(eval_item, eval_item)),), refused=(), duplicates=0
    )
    documents.accept(ledger.store, intake("atlas", "borea"))
    counts = documents.accept(ledger.store, updated)
    assert (counts.queued, counts.duplicates, counts.updated) == (0, 0, 1)
    assert documents.of(ledger.store, [document("atlas").id])[0].eval_items == (eval_item, eval_item)
    assert documents.of(ledger.store, [document("borea").id]) == (document("borea"),)
    again = documents.accept(ledger.store, updated)
    assert (again.duplicates, again.updated) == (1, 0)
    documents.quarantine(ledger.store, document("atlas").id, "wrong answers")
    assert documents.accept(ledger.store, intake("atlas")).updated == 1
    assert documents.get(ledger.store, document("atlas").id).document == document("atlas")


def test_a_document_that_a_run_holds_or_a_release_learned_keeps_its_questions(ledger: Ledger) -> None:
    updated = Ingested(accepted=(replace(document("atlas"), eval_items=()),), refused=(), duplicates=0)
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = ledger.begin(held)
        assert documents.accept(ledger.store, updated).updated == 0
        runs.abandon(ledger.store, held, run.number, "production moved")
    ledger.release()
    counts = documents.accept(ledger.store, updated)
    assert (counts.duplicates, counts.updated) == (1, 0)
    assert documents.of(ledger.store, [document("atlas").id]) == (document("atlas"),)


def test_the_same_content_twice_in_one_intake_is_one_document(ledger: Ledger) -> None:
    one, other = document("atlas"), document("atlas")
    counts = documents.accept(ledger.store, Ingested(accepted=(one, other), refused=(), duplicates=3))
    assert (counts.queued, counts.duplicates) == (1, 4)


def test_a_document_comes_back_as_it_went_in(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    record = documents.get(ledger.store, document("atlas").id[:8])
    assert record.document == document("atlas")
    assert record.document is not None
    assert record.document.eval_items[0].answers == ("Heron", "the Heron team")
    assert documents.of(ledger.store, [record.id]) == (document("atlas"),)


@pytest.mark.parametrize(("asked", "error"), [("zz", BadInput), ("abc", BadInput), ("0000", NoSuchDocument)])
def test_a_document_that_cannot_be_named_so(ledger: Ledger, asked: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="sealed documents"):
        documents.get(ledger.store, asked)


def test_an_ambiguous_beginning_is_not_guessed(ledger: Ledger) -> None:
    with ledger.store.write() as connection:
        for last in "ab":
            connection.execute(
                text("INSERT INTO documents (id, state, name, added) VALUES (:id, 'quarantined', 'x', '2026-01-01')"),
                {"id": "dead" * 15 + "bee" + last},
            )
    with pytest.raises(BadInput, match="give more digits"):
        documents.get(ledger.store, "deadde")


def test_a_refused_input_is_shown_and_no_longer_open_once_updated(ledger: Ledger) -> None:
    bad = Refusal(name="atlas.md", reason="not UTF-8")
    assert documents.accept(ledger.store, Ingested(accepted=(), refused=(bad,), duplicates=0)).refused == 1
    (shown,) = documents.listed(ledger.store, QUARANTINED)
    assert (shown.name, shown.reason, shown.document) == ("atlas.md", "not UTF-8", None)
    with pytest.raises(PolicyError, match="mend the file"):
        documents.requeue(ledger.store, [shown.id])
    documents.accept(ledger.store, intake("atlas"))
    assert documents.get(ledger.store, bad.id).state is DocumentState.DISCARDED
    documents.accept(ledger.store, Ingested(accepted=(), refused=(bad,), duplicates=0))
    assert documents.get(ledger.store, bad.id).state is QUARANTINED


def test_a_waiting_document_is_set_aside_and_lets_itself_be_queued_again(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    id_ = document("atlas").id
    assert documents.quarantine(ledger.store, id_, "wrong source").reason == "wrong source"
    with pytest.raises(PolicyError, match="is quarantined"):
        documents.quarantine(ledger.store, id_, "again")
    (queued,) = documents.requeue(ledger.store, [id_, id_[:8]])
    assert queued.state is QUEUED


def test_documents_are_queued_again_all_or_none(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas", "borea"))
    aside, waiting = document("atlas").id, document("borea").id
    documents.quarantine(ledger.store, aside, "wrong source")
    with pytest.raises(PolicyError, match="is queued"):
        documents.requeue(ledger.store, [aside, waiting])
    assert documents.get(ledger.store, aside).state is QUARANTINED


def test_a_run_takes_the_oldest_documents_up_to_its_limit(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("one", "two"))
    documents.accept(ledger.store, intake("aaa"))
    with ledger.working() as held:
        run = ledger.begin(held, limit=2)
    assert run.documents == (document("one").id, document("two").id)
    assert documents.count(ledger.store) == ((QUEUED, 1), (LEASED, 2))
    assert documents.get(ledger.store, run.documents[0]).attempts == 1


def test_a_run_without_documents_is_recorded_as_empty(ledger: Ledger) -> None:
    with ledger.working() as held:
        run = ledger.begin(held)
    assert (run.state, run.documents) == (RunState.EMPTY, ())
    assert run.finished is not None
    assert runs.unfinished(ledger.store) is None


def test_a_killed_run_is_found_with_its_documents_and_a_second_is_refused(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas", "borea"))
    with ledger.working() as held:
        run = ledger.begin(held)
        runs.move(ledger.store, held, run.number, RunState.WRITING)
    with ledger.working() as held:
        found = runs.unfinished(ledger.store)
        assert found is not None
        assert (found.documents, found.state) == (run.documents, RunState.WRITING)
        with pytest.raises(PolicyError, match="resume or abandon"):
            ledger.begin(held)


def test_what_a_run_chose_is_kept_once_and_its_notes_bear_their_candidates_rewards(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    one = document("atlas")
    notes = [edit(one, sample) for sample in range(2)]
    own = [
        EditSet(number=at, self_edits=(note.id,), examples=1, reward=reward)
        for at, (note, reward) in enumerate(zip(notes, (0.25, 0.5), strict=True))
    ]
    choice = Selection(document=one.id, kept=1, candidates=tuple(own), sentence="the better one")
    with ledger.working() as held:
        run = ledger.begin(held)
        self_edits.save(ledger.store, held, run.number, notes)
        assert [note.reward for note in self_edits.of_run(ledger.store, run.number)] == [None, None]
        self_edits.save_selections(ledger.store, held, run.number, [choice])
        self_edits.save_selections(ledger.store, held, run.number, [replace(choice, kept=0)])
    assert self_edits.selections_of(ledger.store, run.number) == (choice,)
    assert self_edits.selections_about(ledger.store, one.id) == ((run.number, choice),)
    found = self_edits.of_run(ledger.store, run.number)
    assert [note.reward for note in found] == [0.25, 0.5]
    assert [note.id for note in found] == [note.id for note in notes]


def test_questions_of_the_models_come_after_those_a_document_brought_and_only_once(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas", "borea"))
    one, other = document("atlas"), document("borea")
    wrote = [
        EvalItem(question=f"Whose is atlas {at}?", answers=("Heron",), split=Split.VALIDATION, origin=Origin.MODEL)
        for at in range(3)
    ]
    with ledger.working() as held:
        documents.add_items(ledger.store, held, {one.id: wrote[:2]})
        documents.add_items(ledger.store, held, {one.id: wrote[2:], other.id: wrote[2:]})
    first, second = documents.of(ledger.store, [one.id, other.id])
    assert first.eval_items == (*one.eval_items, *wrote[:2])
    assert second.eval_items == (*other.eval_items, wrote[2])
    assert first.id == one.id


def test_an_abandoned_run_gives_its_documents_back_and_counts_no_attempt(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = ledger.begin(held)
        update = ledger.gate(held, run)
        release = runs.intend_release(ledger.store, held, run.number, manifest_of(update))
        ended = runs.abandon(ledger.store, held, run.number, "production moved")
    record = documents.get(ledger.store, run.documents[0])
    assert (ended.state, record.state, record.attempts) == (RunState.ABANDONED, QUEUED, 0)
    assert releases.get(ledger.store, release.number).state is ReleaseState.VOID


def test_a_rejected_run_settles_each_document_as_decided(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas", "borea"))
    with ledger.working() as held:
        run = ledger.begin(held)
        ledger.gate(held, run, Verdict.FAIL)
        culprit, other = run.documents
        decision = DocumentDecision(document=culprit, state=QUARANTINED, reason="contradicts what is known")
        runs.finish(ledger.store, held, run.number, RunState.REJECTED_BY_GATES, "retention: FAIL", [decision])
    assert documents.get(ledger.store, culprit).reason == "contradicts what is known"
    assert documents.get(ledger.store, other).state is QUEUED
    assert documents.get(ledger.store, other).attempts == 1
    assert runs.get(ledger.store, run.number).sentence == "retention: FAIL"


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_only_a_passing_run_gets_a_release_number(ledger: Ledger, verdict: Verdict) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = ledger.begin(held)
        update = ledger.gate(held, run, verdict)
        with pytest.raises(PolicyError, match="did not pass"):
            runs.intend_release(ledger.store, held, run.number, manifest_of(update))
    assert [one.number for one in releases.listed(ledger.store)] == [0]


def test_intending_and_recording_a_release_twice_gives_one(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = ledger.begin(held)
        manifest = manifest_of(ledger.gate(held, run))
        first = runs.intend_release(ledger.store, held, run.number, manifest)
        assert runs.intend_release(ledger.store, held, run.number, manifest) == first
        recorded = runs.record_release(ledger.store, held, run.number, "1")
        assert runs.record_release(ledger.store, held, run.number, "1") == recorded
    assert recorded.state is ReleaseState.CANDIDATE
    assert runs.get(ledger.store, run.number).state is RunState.WAITING
    assert runs.unfinished(ledger.store) is None


def test_self_edits_and_reports_come_back_as_they_went_in(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    edits = (edit(document("atlas"), 1), edit(document("atlas"), 0))
    with ledger.working() as held:
        run = ledger.begin(held)
        self_edits.save(ledger.store, held, run.number, edits[:1])
        self_edits.save(ledger.store, held, run.number, edits)
        update = ledger.gate(held, run)
    assert self_edits.of_run(ledger.store, run.number)[:2] == edits
    assert reports.get(ledger.store, report_on(update).digest) == report_on(update)
    assert reports.update(ledger.store, update.id) == update


def test_only_what_production_was_trained_on_is_replayed(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.candidate("borea")
    assert self_edits.learned(ledger.store) == (edit(document("atlas")),)
    ledger.promote(2)
    assert self_edits.learned(ledger.store) == (edit(document("atlas")), edit(document("borea")))
    assert documents.learned(ledger.store) == ((1, (document("atlas"),)), (2, (document("borea"),)))
    ledger.rollback()
    assert self_edits.learned(ledger.store) == (edit(document("atlas")),)


def test_seconds_of_a_resumed_stage_add_up(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    with ledger.working() as held:
        run = ledger.begin(held)
        runs.add_seconds(ledger.store, held, run.number, "training", 2.0)
        runs.add_seconds(ledger.store, held, run.number, "training", 3.0)
    assert [(one.stage, one.seconds) for one in runs.get(ledger.store, run.number).seconds] == [("training", 5.0)]


def test_adapters_of_production_of_the_three_before_it_and_of_candidates_are_needed(ledger: Ledger) -> None:
    for name in ("atlas", "borea", "cinder", "delta"):
        ledger.release(name)
    ledger.candidate("ember")
    assert [one.number for one in releases.needed(ledger.store)] == [1, 2, 3, 4, 5]
    ledger.rollback()
    assert [one.number for one in releases.needed(ledger.store)] == [1, 2, 3]
