"""The documents of writer trainings: the writer was rewarded for self-edits about them, and no run learned them.

`runs` opens and ends a writer training; `withdrawals` says which of its documents production still knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from pipeline.errors import PolicyError
from pipeline.types import Document, DocumentState, RunState
from registry.store import ingestion
from registry.store.database import Database, FencedDatabase, now
from registry.store.runs import UNDER_WAY
from registry.tables import runs
from registry.tables import writer_training_documents as table

_OPEN = (*UNDER_WAY, RunState.WAITING)


@dataclass(frozen=True)
class WriterTrainings:
    """Reads which documents the writer trainings used."""

    database: Database

    def about(self, document: str) -> tuple[tuple[int, bool], ...]:
        """The writer trainings that used a document, oldest first: run, and whether the document was held out."""
        query = select(table.c.run, table.c.held_out).where(table.c.document == document)
        with self.database.read() as connection:
            return tuple((run, held_out) for run, held_out in connection.execute(query.order_by(table.c.run)))


@dataclass(frozen=True)
class SessionWriterTrainings:
    """Writes the documents of a writer training under the lease. Raises LeaseLost once the lease is lost."""

    database: FencedDatabase

    def record(
        self, run: int, *, on: Sequence[Document], held_out: Sequence[Document], at: datetime | None = None
    ) -> None:
        """Records the documents that a run trains the writer `on` and those that evaluate it; replaces former ones.

        Those that the ledger does not know become WRITER_TRAINING: no run takes them, and they can be withdrawn. Raises
        PolicyError, and keeps nothing, where one of them was withdrawn since the run began.
        """
        trained = f"used to train the writer in run {run}, and not learned"
        evaluated = f"used to evaluate the writer of run {run}, and not learned"
        with self.database.write() as connection:
            _expect_none_withdrawn(connection, [*on, *held_out])
            _add_unknown(connection, on, trained, at or now())
            _add_unknown(connection, held_out, evaluated, at or now())
            connection.execute(delete(table).where(table.c.run == run))
            values = [{"run": run, "document": one.id, "held_out": False} for one in on]
            values += [{"run": run, "document": one.id, "held_out": True} for one in held_out]
            if values:
                connection.execute(insert(table), values)


def trained_on(connection: Connection, releases: Sequence[int]) -> frozenset[str]:
    """Ids of the documents that the writer trainings behind these releases used, without those held out."""
    query = select(table.c.document).join(runs, runs.c.number == table.c.run)
    query = query.where(runs.c.release.in_(releases), table.c.held_out.is_(False))
    return frozenset(connection.execute(query).scalars())


def open_on(connection: Connection, document: str) -> int | None:
    """The writer training on this document that is under way or waits for review, if any."""
    query = select(table.c.run).join(runs, runs.c.number == table.c.run)
    mine = (table.c.document == document, table.c.held_out.is_(False), runs.c.state.in_(_OPEN))
    return connection.execute(query.where(*mine).order_by(table.c.run)).scalars().first()


def _expect_none_withdrawn(connection: Connection, found: Sequence[Document]) -> None:
    for id_, state in ingestion.states_of(connection, [document.id for document in found]).items():
        if state is DocumentState.WITHDRAWN:
            raise PolicyError(
                f"document {id_[:12]} was withdrawn meanwhile. Run `sealed train-writer` again without it."
            )


def _add_unknown(connection: Connection, found: Sequence[Document], reason: str, at: datetime) -> None:
    known = ingestion.states_of(connection, [document.id for document in found])
    new = [document for document in found if document.id not in known]
    ingestion.add_documents(connection, new, at, DocumentState.WRITER_TRAINING, reason)
