"""The runs of the ledger: each is recorded before it works, is resumed after a kill, and settles its documents once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from pipeline.errors import BadInput, InternalError, PolicyError
from pipeline.types import (
    DocumentDecision,
    DocumentState,
    GateReport,
    ReleaseState,
    Run,
    RunKind,
    RunState,
    StageSeconds,
    Update,
    WriterTrainingRequest,
)
from registry import columns, lifecycle, tables
from registry.lifecycle import Event
from registry.store import journal, releases
from registry.store.database import Database, FencedDatabase, blocks, now
from registry.tables import documents, run_documents, runs

STAGES = (RunState.INGESTING, RunState.WRITING, RunState.TRAINING, RunState.GATING)
UNDER_WAY = (*STAGES, RunState.REGISTERING)
_ENDS = (RunState.REJECTED_BY_GATES, RunState.HELD, RunState.FAILED)
_SETTLED = (DocumentState.QUEUED, DocumentState.QUARANTINED, DocumentState.DISCARDED)


@dataclass(frozen=True)
class Runs:
    """Reads runs."""

    database: Database

    def unfinished(self) -> Run | None:
        """The run that is under way or was killed, to be resumed; one that waits for review is finished."""
        with self.database.read() as connection:
            return _unfinished(connection)

    def upcoming(self, kind: RunKind) -> int:
        """The number of the run that a run of this kind would work on now: the unfinished one's, else the next."""
        with self.database.read() as connection:
            begun = _unfinished(connection)
            return begun.number if begun is not None and begun.kind is kind else _next(connection)

    def get(self, number: int) -> Run:
        """The run of that number. Raises BadInput if there is none."""
        with self.database.read() as connection:
            return load(connection, number)

    def listed(self) -> tuple[Run, ...]:
        """All runs, oldest first."""
        with self.database.read() as connection:
            numbers = connection.execute(select(runs.c.number).order_by(runs.c.number)).scalars().all()
            return tuple(load(connection, number) for number in numbers)


@dataclass(frozen=True)
class SessionRuns:
    """Writes runs under the lease. Every method raises LeaseLost, and writes nothing, once the lease is lost."""

    database: FencedDatabase

    def begin(self, *, documents: Sequence[str], proposer: str, recipe: str, at: datetime | None = None) -> Run:
        """Opens a run on the production release and leases it those of the documents that are still queued.

        Where none is the run is recorded as EMPTY and finished. Raises PolicyError while another is under way.
        """
        at = at or now()
        with self.database.write() as connection:
            ids = _still_queued(connection, documents)
            empty = {"state": RunState.EMPTY, "finished": at, "sentence": "no document was waiting"}
            number = _open(connection, proposer, recipe, at, {} if ids else empty)
            _lease_documents(connection, number, ids)
            return load(connection, number)

    def begin_rebuild(self, *, proposer: str, recipe: str, at: datetime | None = None) -> Run:
        """Opens a rebuild on the production release: it leases no document. Raises PolicyError as `begin` does."""
        return self._begin(proposer, recipe, at, {"kind": RunKind.REBUILD})

    def begin_writer_training(
        self, *, proposer: str, recipe: str, asked: WriterTrainingRequest, at: datetime | None = None
    ) -> Run:
        """Opens a writer training on the production release, likewise, and keeps its request."""
        return self._begin(proposer, recipe, at, {"kind": RunKind.WRITER_TRAINING, "asked": asked})

    def _begin(self, proposer: str, recipe: str, at: datetime | None, values: Mapping[str, object]) -> Run:
        with self.database.write() as connection:
            return load(connection, _open(connection, proposer, recipe, at or now(), values))

    def move(self, number: int, state: RunState) -> Run:
        """Records that the run reached a stage: writing, training or gating. A resumed run may go through it again."""
        if state not in STAGES:
            raise InternalError(f"a run does not simply move to {state}. Please report it.")
        with self.database.write() as connection:
            return change(connection, number, before=STAGES, state=state)

    def add_seconds(self, number: int, stage: str, seconds: float) -> None:
        """Adds work time to a stage of a run: a resumed stage counts all its runs."""
        with self.database.write() as connection:
            spent = {one.stage: one.seconds for one in load(connection, number).seconds}
            spent[stage] = spent.get(stage, 0.0) + seconds
            stages = (StageSeconds(stage=name, seconds=value) for name, value in spent.items())
            _set(connection, number, seconds=tuple(stages))

    def save_update(self, number: int, made: Update) -> None:
        """Records what the run's adapter is trained from. Idempotent; a run that is resumed may replace it."""
        with self.database.write() as connection:
            _load_under_way(connection, number)
            releases.add_update(connection, made)
            _set(connection, number, update_id=made.id)

    def save_report(self, number: int, report: GateReport) -> None:
        """Records what the gates found. Idempotent. Raises InternalError if the report is on another update."""
        with self.database.write() as connection:
            _save_report(connection, number, report)

    def set_aside(self, number: int, report: GateReport | None, decisions: Sequence[DocumentDecision]) -> Run:
        """Gives up some of the run's documents, as decided, with the report that says why, if the gates had to: the run
        goes on with the others, as if it had not leased these. Raises InternalError if it does not hold one of them.
        """
        with self.database.write() as connection:
            if report is not None:
                _save_report(connection, number, report)
            _decide(connection, number, decisions)
            gone = [decision.document for decision in decisions]
            for block in blocks(gone):
                mine = (run_documents.c.run == number, run_documents.c.document.in_(block))
                connection.execute(delete(run_documents).where(*mine))
            return load(connection, number)

    def finish(
        self,
        number: int,
        state: RunState,
        sentence: str,
        decisions: Sequence[DocumentDecision] = (),
        at: datetime | None = None,
    ) -> Run:
        """Ends a run without a release (REJECTED_BY_GATES, HELD or FAILED) and settles all its documents at once.

        Documents without a decision are queued again, with this run as one of their attempts.
        """
        if state not in _ENDS:
            raise InternalError(f"a run does not finish as {state}. Please report it.")
        with self.database.write() as connection:
            _settle(connection, number, decisions, sentence)
            return change(connection, number, before=STAGES, state=state, sentence=sentence, finished=at or now())

    def abandon(self, number: int, reason: str, at: datetime | None = None) -> Run:
        """Gives a run up through no fault of its documents: they are queued again and the attempt is not counted.

        A release that it was registering becomes void.
        """
        with self.database.write() as connection:
            return abandon(connection, number, reason, at or now())


def abandon(connection: Connection, number: int, reason: str, at: datetime) -> Run:
    """Gives a run up, within a transaction; also one whose candidate can no longer be reviewed."""
    mine = (documents.c.run == number, documents.c.state == DocumentState.LEASED)
    connection.execute(update(documents).where(*mine).values(attempts=documents.c.attempts - 1))
    _settle(connection, number, (), reason)
    _give_up_release(connection, load(connection, number).release, reason, at)
    before = (*UNDER_WAY, RunState.WAITING)
    return change(connection, number, before=before, state=RunState.ABANDONED, sentence=reason, finished=at)


def _give_up_release(connection: Connection, number: int | None, reason: str, at: datetime) -> None:
    """Makes the release void that a run was registering, if there is one."""
    release = None if number is None else releases.load(connection, number)
    if release is None or lifecycle.against_event(release.number, release.state, Event.GIVEN_UP) is not None:
        return
    table, values = tables.releases, {"state": ReleaseState.VOID, "reason": reason}
    connection.execute(update(table).where(table.c.number == number).values(values))
    journal.record(connection, release, release.state, ReleaseState.VOID, reason, at)


def change(
    connection: Connection, number: int, *, before: Sequence[RunState], state: RunState, **values: object
) -> Run:
    """Compare-and-set of a run's state. Raises PolicyError if the run is in none of the states `before`."""
    mine = (runs.c.number == number, runs.c.state.in_(before))
    done = connection.execute(update(runs).where(*mine).values(state=state, **values))
    run = load(connection, number)
    if done.rowcount != 1:
        raise PolicyError(f"run {number} is {run.state.replace('_', ' ')}: it does not become {state} from there.")
    return run


def load(connection: Connection, number: int) -> Run:
    """The run of that number, within a transaction. Raises BadInput if there is none."""
    row = connection.execute(select(runs).where(runs.c.number == number)).mappings().one_or_none()
    if row is None:
        raise BadInput(f"there is no run {number}. See `sealed status`.")
    query = select(run_documents.c.document).where(run_documents.c.run == number).order_by(run_documents.c.position)
    ids = tuple(connection.execute(query).scalars())
    return columns.decode(Run, {**row, "documents": ids, "update": row["update_id"]})


def _save_report(connection: Connection, number: int, report: GateReport) -> None:
    if _load_under_way(connection, number).update != report.update:
        raise InternalError(f"the report is not on the update of run {number}. Please report it.")
    releases.add_report(connection, report)
    _set(connection, number, report=report.digest)


def _settle(connection: Connection, number: int, decisions: Sequence[DocumentDecision], sentence: str) -> None:
    """Gives every document that the run leased its next state: as decided, or back to the queue."""
    _decide(connection, number, decisions)
    queued = {"state": DocumentState.QUEUED, "reason": f"run {number}: {sentence}", "run": None}
    connection.execute(update(documents).where(documents.c.run == number).values(queued))


def _decide(connection: Connection, number: int, decisions: Sequence[DocumentDecision]) -> None:
    """Gives these documents, which the run holds, the states that were decided."""
    for decision in decisions:
        if decision.state not in _SETTLED:
            raise InternalError(f"a run without a release leaves no document {decision.state}. Please report.")
        values = {"state": decision.state, "reason": decision.reason, "run": None}
        done = connection.execute(
            update(documents).where(documents.c.id == decision.document, documents.c.run == number).values(values)
        )
        if done.rowcount != 1:
            raise InternalError(f"run {number} does not hold document {decision.document}. Please report it.")


def _open(connection: Connection, proposer: str, recipe: str, at: datetime, values: Mapping[str, object]) -> int:
    if (unfinished := _unfinished(connection)) is not None:
        raise PolicyError(f"run {unfinished.number} is still under way: resume or abandon it first.")
    number = _next(connection)
    usual: dict[str, object] = {
        "number": number,
        "state": RunState.INGESTING,
        "parent": releases.production(connection).number,
        "proposer": proposer,
        "recipe": recipe,
        "started": at,
        "seconds": (),
    }
    connection.execute(insert(runs).values({**usual, **values}))
    return number


def _next(connection: Connection) -> int:
    return int(connection.execute(select(func.max(runs.c.number))).scalar() or 0) + 1


def _unfinished(connection: Connection) -> Run | None:
    number = connection.execute(select(runs.c.number).where(runs.c.state.in_(UNDER_WAY))).scalar_one_or_none()
    return None if number is None else load(connection, number)


def _load_under_way(connection: Connection, number: int) -> Run:
    run = load(connection, number)
    if run.state not in UNDER_WAY:
        raise PolicyError(f"run {number} is {run.state.replace('_', ' ')}: nothing is added to it any more.")
    return run


def _still_queued(connection: Connection, ids: Sequence[str]) -> list[str]:
    queued = select(documents.c.id).where(documents.c.state == DocumentState.QUEUED)
    found = {
        id_ for block in blocks(ids) for id_ in connection.execute(queued.where(documents.c.id.in_(block))).scalars()
    }
    return [id_ for id_ in ids if id_ in found]


def _lease_documents(connection: Connection, number: int, ids: Sequence[str]) -> None:
    leased = {"state": DocumentState.LEASED, "run": number, "attempts": documents.c.attempts + 1, "reason": ""}
    for block in blocks(ids):
        connection.execute(update(documents).where(documents.c.id.in_(block)).values(leased))
    positions = [{"run": number, "position": position, "document": id_} for position, id_ in enumerate(ids)]
    if positions:
        connection.execute(insert(run_documents), positions)


def _set(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(runs).where(runs.c.number == number).values(values))
