"""Which documents a practice was held on: the writer learned by what notes about them taught, and nobody learned them.

`runs` opens and ends a practice; `withdrawals` says which of its documents production still knows.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from pipeline.errors import PolicyError
from pipeline.types import Document, Lease, RunState
from registry.store import documents, lease, rows, run_rows
from registry.store.database import Store
from registry.tables import practised, runs

_OPEN = (*run_rows.UNDER_WAY, RunState.WAITING)


def record(
    store: Store,
    held: Lease,
    number: int,
    *,
    on: Sequence[Document],
    held_out: Sequence[Document],
    at: datetime | None = None,
) -> None:
    """Keeps which documents a practice is held `on`, and which judge it; where its rounds begin anew, in place of the

    former ones. Those that the ledger does not know become WRITER_TRAINING: no run takes them, and they can be
    withdrawn. Raises PolicyError, and keeps nothing, where one of them was withdrawn since the practice began.
    """
    at = at or rows.now()
    with store.write() as connection:
        lease.check(connection, held)
        if gone := documents.withdrawn_among(connection, [one.id for one in (*on, *held_out)]):
            raise PolicyError(
                f"document {gone[0][:12]} was withdrawn meanwhile. Run `sealed train-writer` again without it."
            )
        documents.keep_practised(connection, on, f"practised on in run {number}, and not learned", at)
        documents.keep_practised(connection, held_out, f"judged the practice of run {number}, and not learned", at)
        connection.execute(delete(practised).where(practised.c.run == number))
        values = [{"run": number, "document": one.id, "held_out": False} for one in on]
        values += [{"run": number, "document": one.id, "held_out": True} for one in held_out]
        if values:
            connection.execute(insert(practised), values)


def about(store: Store, document: str) -> tuple[tuple[int, bool], ...]:
    """The practices that were held on a document, oldest first: run, and whether it was held out."""
    query = select(practised.c.run, practised.c.held_out).where(practised.c.document == document)
    with store.read() as connection:
        return tuple((run, out) for run, out in connection.execute(query.order_by(practised.c.run)))


def trained_on(connection: Connection, releases: Sequence[int]) -> frozenset[str]:
    """Ids of the documents that the practices behind these releases were held on, without those held out."""
    query = select(practised.c.document).join(runs, runs.c.number == practised.c.run)
    query = query.where(runs.c.release.in_(releases), practised.c.held_out.is_(False))
    return frozenset(connection.execute(query).scalars())


def open_on(connection: Connection, document: str) -> int | None:
    """The practice on this document that is under way or waits for review, if any."""
    query = select(practised.c.run).join(runs, runs.c.number == practised.c.run)
    mine = (practised.c.document == document, practised.c.held_out.is_(False), runs.c.state.in_(_OPEN))
    return connection.execute(query.where(*mine).order_by(practised.c.run)).scalars().first()
