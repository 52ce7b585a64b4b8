"""Documents that a person withdrew, and which of them production still knows.

What production knows follows from how its adapter was made, so a rollback past a rebuild is seen at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from pipeline.actors import against_name
from pipeline.errors import BadInput, InternalError, PolicyError
from pipeline.types import Document, DocumentRecord, DocumentState, RunState, Withdrawal
from registry import columns, tables
from registry.store import documents, releases, runs, writer_trainings
from registry.store.database import Database, blocks, now


@dataclass(frozen=True)
class Withdrawals:
    """Withdraws documents and reads what was withdrawn."""

    database: Database

    def withdraw(
        self, ids: Sequence[str], *, actor: str, reason: str, account: str = "", at: datetime | None = None
    ) -> tuple[DocumentRecord, ...]:
        """Marks documents as withdrawn, all or none; what was never learned never will be. There is no way back.

        ids: each whole, or a unique beginning. Raises NoSuchDocument, BadInput (an unusable id, no reason or name), or
        PolicyError in words: withdrawn already, leased by a run, or nothing readable was kept of it.
        """
        if not reason.strip() or against_name(actor) is not None:
            why = against_name(actor) or "the ledger keeps both"
            raise BadInput(f"withdrawing a document needs a name and a reason: {why}.")
        with self.database.write() as connection:
            found = {record.id: record for record in (documents.find(connection, one) for one in ids)}
            for record in found.values():
                if (objection := _objection(connection, record)) is not None:
                    raise PolicyError(f"{objection}. Nothing was withdrawn.")
            at = at or now()
            made = [Withdrawal(document=id_, actor=actor, account=account, reason=reason, at=at) for id_ in found]
            return tuple(_withdraw(connection, withdrawal) for withdrawal in made)

    def listed(self) -> tuple[Withdrawal, ...]:
        """All withdrawals, oldest first."""
        query = select(tables.withdrawals).order_by(tables.withdrawals.c.at, tables.withdrawals.c.document)
        with self.database.read() as connection:
            return tuple(columns.decode(Withdrawal, {**row}) for row in connection.execute(query).mappings())

    def remembered(self) -> tuple[Document, ...]:
        """The withdrawn documents that production's adapter, or one that it was trained from, was trained on."""
        with self.database.read() as connection:
            known = _trained_on(connection)
        gone = documents.Documents(self.database).listed(DocumentState.WITHDRAWN)
        return tuple(record.document for record in gone if record.document and record.id in known)


def _objection(connection: Connection, record: DocumentRecord) -> str | None:
    """Why this document cannot be withdrawn now, with the way out, or None."""
    name = f"document {record.id[:12]} ({record.name})"
    if record.state is DocumentState.WITHDRAWN:
        return f"{name} is withdrawn already: {record.reason}"
    if record.document is None:
        return f"nothing readable of {name} was kept ({record.reason}), and nothing of it can be learned"
    if (holder := _holder(connection, record)) is None:
        return None
    run = runs.load(connection, holder)
    if run.state is RunState.WAITING:
        return (
            f"{name} is in release {run.release}, which waits for review: "
            f"`sealed reject {run.release} --reason ...` first, then withdraw"
        )
    return f"{name} is in run {run.number}, which is under way: withdraw it when the run has ended"


def _holder(connection: Connection, record: DocumentRecord) -> int | None:
    """The open run that leased the document, or that trains the writer on it."""
    query = select(tables.documents.c.run).where(tables.documents.c.id == record.id)
    run: int | None = connection.execute(query).scalar_one()
    return writer_trainings.open_on(connection, record.id) if run is None else run


def _withdraw(connection: Connection, withdrawal: Withdrawal) -> DocumentRecord:
    reason = f"withdrawn by {withdrawal.actor}: {withdrawal.reason}"
    mine, values = tables.documents.c.id == withdrawal.document, {"state": DocumentState.WITHDRAWN, "reason": reason}
    if connection.execute(update(tables.documents).where(mine).values(values)).rowcount != 1:
        raise InternalError(f"document {withdrawal.document} vanished within a transaction. Please report it.")
    connection.execute(insert(tables.withdrawals).values(columns.fields_of(withdrawal)))
    return documents.find(connection, withdrawal.document)


def _trained_on(connection: Connection) -> frozenset[str]:
    """Ids of all documents behind production's adapter: those that it learned, and those of its writer trainings."""
    made = releases.lineage(connection, releases.production(connection))
    edits = {edit for _, update in made for edit in update.self_edits}
    query = select(tables.self_edits.c.document).distinct()
    learned = frozenset(
        document
        for block in blocks(sorted(edits))
        for document in connection.execute(query.where(tables.self_edits.c.id.in_(block))).scalars()
    )
    return learned | writer_trainings.trained_on(connection, [release.number for release, _ in made])
