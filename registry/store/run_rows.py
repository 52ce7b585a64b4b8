"""A run's rows within a transaction: loaded, moved by compare-and-set, its documents settled. Knows no lease."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from pipeline.errors import BadInput, InternalError, PolicyError
from pipeline.types import DocumentDecision, DocumentState, ReleaseState, Run, RunState
from registry import tables
from registry.store import rows
from registry.tables import documents, run_documents, runs

UNDER_WAY = (
    RunState.INGESTING,
    RunState.WRITING,
    RunState.TRAINING,
    RunState.GATING,
    RunState.REGISTERING,
)
_SETTLED = (DocumentState.QUEUED, DocumentState.QUARANTINED, DocumentState.DISCARDED)


def abandon(connection: Connection, number: int, reason: str, at: datetime) -> Run:
    """Gives a run up, its documents queued and the attempt not counted; also one that can no longer be reviewed."""
    mine = (documents.c.run == number, documents.c.state == DocumentState.LEASED)
    connection.execute(update(documents).where(*mine).values(attempts=documents.c.attempts - 1))
    settle(connection, number, (), reason)
    registering = (
        tables.releases.c.number == load(connection, number).release,
        tables.releases.c.state == ReleaseState.REGISTERING,
    )
    connection.execute(update(tables.releases).where(*registering).values(state=ReleaseState.VOID, reason=reason))
    before = (*UNDER_WAY, RunState.WAITING)
    return change(connection, number, before=before, state=RunState.ABANDONED, sentence=reason, finished=at)


def settle(connection: Connection, number: int, decisions: Sequence[DocumentDecision], sentence: str) -> None:
    """Gives every document that the run holds its next state: as decided, or back to the queue."""
    for decision in decisions:
        if decision.state not in _SETTLED:
            raise InternalError(f"a run without a release leaves no document {decision.state}. Please report.")
        values = {"state": decision.state, "reason": decision.reason, "run": None}
        done = connection.execute(
            update(documents).where(documents.c.id == decision.document, documents.c.run == number).values(values)
        )
        if done.rowcount != 1:
            raise InternalError(f"run {number} does not hold document {decision.document}. Please report it.")
    queued = {"state": DocumentState.QUEUED, "reason": f"run {number}: {sentence}", "run": None}
    connection.execute(update(documents).where(documents.c.run == number).values(queued))


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
    """The run of that number within a transaction. Raises BadInput if there is none."""
    row = connection.execute(select(runs).where(runs.c.number == number)).mappings().one_or_none()
    if row is None:
        raise BadInput(f"there is no run {number}. See `sealed status`.")
    query = select(run_documents.c.document).where(run_documents.c.run == number)
    ids = connection.execute(query.order_by(run_documents.c.position)).scalars()
    return rows.run_of(row, tuple(ids))
