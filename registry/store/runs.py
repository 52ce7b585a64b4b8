"""The runs of the ledger: each an intent that takes documents, is resumed after a kill, and settles them once.

Every write checks the lease within its transaction. `run_rows` changes the rows; `candidates` makes it a release.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from pipeline.errors import InternalError, PolicyError
from pipeline.types import (
    DocumentDecision,
    DocumentState,
    GateReport,
    Lease,
    Run,
    RunKind,
    RunState,
    Update,
    WriterTrainingRequest,
)
from registry.store import lease, releases, reports, rows, run_rows
from registry.store.candidates import intend_release, record_release
from registry.store.database import Store
from registry.tables import documents, run_documents, runs

__all__ = [
    "abandon",
    "add_seconds",
    "begin",
    "begin_rebuild",
    "begin_writer_training",
    "finish",
    "get",
    "intend_release",
    "listed",
    "move",
    "record_release",
    "save_report",
    "save_update",
    "unfinished",
]
_STAGES = run_rows.UNDER_WAY[:-1]
_ENDS = (RunState.REJECTED_BY_GATES, RunState.HELD, RunState.FAILED)


def begin(store: Store, held: Lease, *, limit: int, proposer: str, recipe: str, at: datetime | None = None) -> Run:
    """Opens a run on the current production release and leases it the oldest queued documents, `limit` at most.

    Where none is queued the run is recorded as EMPTY and finished. Raises PolicyError while another is under way.
    """
    at = at or rows.now()
    with store.write() as connection:
        lease.check(connection, held)
        ids = _oldest(connection, limit)
        empty = {"state": RunState.EMPTY, "finished": at, "sentence": "no document was waiting"}
        number = _open(connection, proposer, recipe, at, {} if ids else empty)
        _lease_documents(connection, number, ids)
        return run_rows.load(connection, number)


def begin_rebuild(store: Store, held: Lease, *, proposer: str, recipe: str, at: datetime | None = None) -> Run:
    """Opens a rebuild on the current production release: it leases no document. Raises PolicyError as `begin` does."""
    return _begin(store, held, proposer, recipe, at, {"kind": RunKind.REBUILD})


def begin_writer_training(
    store: Store, held: Lease, *, proposer: str, recipe: str, asked: WriterTrainingRequest, at: datetime | None = None
) -> Run:
    """Opens a practice on the current production release, likewise, and keeps how it was asked for."""
    values = {"kind": RunKind.WRITER_TRAINING, "asked": rows.encode(asked)}
    return _begin(store, held, proposer, recipe, at, values)


def _begin(
    store: Store, held: Lease, proposer: str, recipe: str, at: datetime | None, values: Mapping[str, object]
) -> Run:
    with store.write() as connection:
        lease.check(connection, held)
        number = _open(connection, proposer, recipe, at or rows.now(), values)
        return run_rows.load(connection, number)


def unfinished(store: Store) -> Run | None:
    """The run that a killed run left under way, to be resumed; a run that waits for review is none."""
    with store.read() as connection:
        return _unfinished(connection)


def upcoming(store: Store, kind: RunKind) -> int:
    """The number of the run that a run of this kind would work on now: the unfinished one's, else the next."""
    with store.read() as connection:
        begun = _unfinished(connection)
        return begun.number if begun is not None and begun.kind is kind else _next(connection)


def get(store: Store, number: int) -> Run:
    """The run of that number. Raises BadInput if there is none."""
    with store.read() as connection:
        return run_rows.load(connection, number)


def listed(store: Store) -> tuple[Run, ...]:
    """All runs, oldest first."""
    with store.read() as connection:
        numbers = connection.execute(select(runs.c.number).order_by(runs.c.number)).scalars().all()
        return tuple(run_rows.load(connection, number) for number in numbers)


def move(store: Store, held: Lease, number: int, state: RunState) -> Run:
    """Records that the run came to a stage: writing, training or gating. A resumed run may go through it again."""
    if state not in _STAGES:
        raise InternalError(f"a run does not simply move to {state}. Please report it.")
    with store.write() as connection:
        lease.check(connection, held)
        return run_rows.change(connection, number, before=_STAGES, state=state)


def add_seconds(store: Store, held: Lease, number: int, stage: str, seconds: float) -> None:
    """Adds work time to a stage of a run: a resumed stage counts all its runs."""
    with store.write() as connection:
        lease.check(connection, held)
        spent = {one.stage: one.seconds for one in run_rows.load(connection, number).seconds}
        spent[stage] = spent.get(stage, 0.0) + seconds
        _set(connection, number, seconds=[[name, value] for name, value in spent.items()])


def save_update(store: Store, held: Lease, number: int, made: Update) -> None:
    """Records what the run's adapter is trained from. Idempotent; a run that is resumed may replace it."""
    with store.write() as connection:
        lease.check(connection, held)
        _under_way(connection, number)
        reports.add_update(connection, made)
        _set(connection, number, update_id=made.id)


def save_report(store: Store, held: Lease, number: int, report: GateReport) -> None:
    """Records what the gates said. Idempotent. Raises InternalError if the report is on another update."""
    with store.write() as connection:
        lease.check(connection, held)
        if _under_way(connection, number).update != report.update:
            raise InternalError(f"the report is not on the update of run {number}. Please report it.")
        reports.add(connection, report)
        _set(connection, number, report=report.digest)


def finish(
    store: Store,
    held: Lease,
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
    with store.write() as connection:
        lease.check(connection, held)
        run_rows.settle(connection, number, decisions, sentence)
        return run_rows.change(
            connection, number, before=_STAGES, state=state, sentence=sentence, finished=at or rows.now()
        )


def abandon(store: Store, held: Lease, number: int, reason: str, at: datetime | None = None) -> Run:
    """Gives a run up through no fault of its documents: they are queued again and the attempt is not counted.

    A release that it was registering becomes void.
    """
    with store.write() as connection:
        lease.check(connection, held)
        return run_rows.abandon(connection, number, reason, at or rows.now())


def _open(connection: Connection, proposer: str, recipe: str, at: datetime, values: Mapping[str, object]) -> int:
    if (open_ := _unfinished(connection)) is not None:
        raise PolicyError(f"run {open_.number} is still under way: resume or abandon it first.")
    number = _next(connection)
    usual: dict[str, object] = {
        "number": number,
        "state": RunState.INGESTING,
        "parent": releases.current(connection).number,
        "proposer": proposer,
        "recipe": recipe,
        "started": at,
        "seconds": [],
        "kind": RunKind.NIGHTLY,
    }
    connection.execute(insert(runs).values({**usual, **values}))
    return number


def _next(connection: Connection) -> int:
    return int(connection.execute(select(func.max(runs.c.number))).scalar() or 0) + 1


def _unfinished(connection: Connection) -> Run | None:
    number = connection.execute(select(runs.c.number).where(runs.c.state.in_(run_rows.UNDER_WAY))).scalar_one_or_none()
    return None if number is None else run_rows.load(connection, number)


def _under_way(connection: Connection, number: int) -> Run:
    run = run_rows.load(connection, number)
    if run.state not in run_rows.UNDER_WAY:
        raise PolicyError(f"run {number} is {run.state.replace('_', ' ')}: nothing is added to it any more.")
    return run


def _oldest(connection: Connection, limit: int) -> list[str]:
    query = select(documents.c.id).where(documents.c.state == DocumentState.QUEUED)
    oldest = query.order_by(documents.c.added, documents.c.name, documents.c.id).limit(limit)
    return list(connection.execute(oldest).scalars())


def _lease_documents(connection: Connection, number: int, ids: Sequence[str]) -> None:
    leased = {"state": DocumentState.LEASED, "run": number, "attempts": documents.c.attempts + 1, "reason": ""}
    for block in rows.blocks(ids):
        connection.execute(update(documents).where(documents.c.id.in_(block)).values(leased))
    held = [{"run": number, "position": position, "document": id_} for position, id_ in enumerate(ids)]
    if held:
        connection.execute(insert(run_documents), held)


def _set(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(runs).where(runs.c.number == number).values(values))
