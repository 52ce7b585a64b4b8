"""A night's rows within a transaction: loaded, moved by compare-and-set, its documents settled. Knows no lease."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from pipeline.errors import BadInput, ProgrammingMistake, Refused
from pipeline.types import DocumentDecision, DocumentState, Night, NightState, ReleaseState
from registry import tables
from registry.store import rows
from registry.tables import documents, night_documents, nights

UNDER_WAY = (
    NightState.INTAKE,
    NightState.WRITING,
    NightState.TRAINING,
    NightState.GATING,
    NightState.REGISTERING,
)
_SETTLED = (DocumentState.QUEUED, DocumentState.QUARANTINED, DocumentState.DEAD)


def abandon(connection: Connection, number: int, reason: str, at: datetime) -> Night:
    """Gives a night up, its documents queued and the attempt not counted; also one that can no longer be reviewed."""
    mine = (documents.c.night == number, documents.c.state == DocumentState.LEASED)
    connection.execute(update(documents).where(*mine).values(attempts=documents.c.attempts - 1))
    settle(connection, number, (), reason)
    registering = (
        tables.releases.c.number == load(connection, number).release,
        tables.releases.c.state == ReleaseState.REGISTERING,
    )
    connection.execute(update(tables.releases).where(*registering).values(state=ReleaseState.VOID, reason=reason))
    before = (*UNDER_WAY, NightState.WAITING)
    return change(connection, number, before=before, state=NightState.ABANDONED, sentence=reason, finished=at)


def settle(connection: Connection, number: int, decisions: Sequence[DocumentDecision], sentence: str) -> None:
    """Gives every document that the night holds its next state: as decided, or back to the queue."""
    for decision in decisions:
        if decision.state not in _SETTLED:
            raise ProgrammingMistake(f"a night without a release leaves no document {decision.state}. Please report.")
        values = {"state": decision.state, "reason": decision.reason, "night": None}
        done = connection.execute(
            update(documents).where(documents.c.id == decision.document, documents.c.night == number).values(values)
        )
        if done.rowcount != 1:
            raise ProgrammingMistake(f"night {number} does not hold document {decision.document}. Please report it.")
    queued = {"state": DocumentState.QUEUED, "reason": f"night {number}: {sentence}", "night": None}
    connection.execute(update(documents).where(documents.c.night == number).values(queued))


def change(
    connection: Connection, number: int, *, before: Sequence[NightState], state: NightState, **values: object
) -> Night:
    """Compare-and-set of a night's state. Raises Refused if the night is in none of the states `before`."""
    mine = (nights.c.number == number, nights.c.state.in_(before))
    done = connection.execute(update(nights).where(*mine).values(state=state, **values))
    night = load(connection, number)
    if done.rowcount != 1:
        raise Refused(f"night {number} is {night.state.replace('_', ' ')}: it does not become {state} from there.")
    return night


def load(connection: Connection, number: int) -> Night:
    """The night of that number within a transaction. Raises BadInput if there is none."""
    row = connection.execute(select(nights).where(nights.c.number == number)).mappings().one_or_none()
    if row is None:
        raise BadInput(f"there is no night {number}. See `sealed status`.")
    query = select(night_documents.c.document).where(night_documents.c.night == number)
    ids = connection.execute(query.order_by(night_documents.c.position)).scalars()
    return rows.night_of(row, tuple(ids))
