"""Documents that must go: withdrawn by a person, and which of them production still knows.

What production knows follows from how its adapter came about, so a rollback past a rebuild is seen at once.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from pipeline.actors import against_name
from pipeline.errors import BadInput, InternalError, PolicyError
from pipeline.types import Document, DocumentRecord, DocumentState, RunState, Withdrawal
from registry.store import documents, lineage, releases, rows, run_rows, writer_trainings
from registry.store.database import Store
from registry.tables import documents as document_table
from registry.tables import self_edits, withdrawals


def withdraw(
    store: Store, ids: Sequence[str], *, actor: str, reason: str, at: datetime | None = None
) -> tuple[DocumentRecord, ...]:
    """Marks documents as withdrawn, all or none; what was never learned never will be. There is no way back.

    ids: each whole, or a unique beginning. Raises NoSuchDocument, BadInput (an unusable id, no reason or name), or
    PolicyError in words: withdrawn already, held by a run, or nothing readable was kept of it.
    """
    if not reason.strip() or against_name(actor) is not None:
        why = against_name(actor) or "the ledger keeps both"
        raise BadInput(f"withdrawing a document needs a name and a reason: {why}.")
    at = at or rows.now()
    with store.write() as connection:
        found = {record.id: record for record in (documents.find(connection, one) for one in ids)}
        for record in found.values():
            if (objection := _against(connection, record)) is not None:
                raise PolicyError(f"{objection}. Nothing was withdrawn.")
        return tuple(_withdraw(connection, record, actor, reason, at) for record in found.values())


def listed(store: Store) -> tuple[Withdrawal, ...]:
    """All withdrawals, oldest first."""
    query = select(withdrawals).order_by(withdrawals.c.at, withdrawals.c.document)
    with store.read() as connection:
        return tuple(rows.withdrawal_of(row) for row in connection.execute(query).mappings())


def remembered(store: Store) -> tuple[Document, ...]:
    """The withdrawn documents that production was trained or practised on, itself or through those it grew from."""
    with store.read() as connection:
        known = _taught(connection)
    gone = documents.listed(store, DocumentState.WITHDRAWN)
    return tuple(record.document for record in gone if record.document and record.id in known)


def _against(connection: Connection, record: DocumentRecord) -> str | None:
    """Why this document cannot be withdrawn now, with the way out, or None."""
    name = f"document {record.id[:12]} ({record.name})"
    if record.state is DocumentState.WITHDRAWN:
        return f"{name} is withdrawn already: {record.reason}"
    if record.document is None:
        return f"nothing readable of {name} was kept ({record.reason}), and nothing of it can be learned"
    if (holder := _holder(connection, record)) is None:
        return None
    run = run_rows.load(connection, holder)
    if run.state is RunState.WAITING:
        return (
            f"{name} is in release {run.release}, which waits for review: "
            f"`sealed reject {run.release} --reason ...` first, then withdraw"
        )
    return f"{name} is in run {run.number}, which is under way: withdraw it when the run has ended"


def _holder(connection: Connection, record: DocumentRecord) -> int | None:
    """The run that leased the document, or that practises on it, whatever else the ledger knows of it."""
    query = select(document_table.c.run).where(document_table.c.id == record.id)
    run: int | None = connection.execute(query).scalar_one()
    return writer_trainings.open_on(connection, record.id) if run is None else run


def _withdraw(connection: Connection, record: DocumentRecord, actor: str, reason: str, at: datetime) -> DocumentRecord:
    values = {"state": DocumentState.WITHDRAWN, "reason": f"withdrawn by {actor}: {reason}"}
    mine = (document_table.c.id == record.id, document_table.c.state == record.state)
    if connection.execute(update(document_table).where(*mine).values(values)).rowcount != 1:
        raise InternalError(f"document {record.id} vanished within a transaction. Please report it.")
    connection.execute(insert(withdrawals).values(document=record.id, actor=actor, reason=reason, at=at))
    return documents.find(connection, record.id)


def _taught(connection: Connection) -> frozenset[str]:
    """Ids of all documents behind production's adapter: those that it learned, and those that it practised on."""
    made = lineage.behind(connection, releases.current(connection))
    edits = {edit for _, update in made for edit in update.self_edits}
    query = select(self_edits.c.document).distinct()
    learned = frozenset(
        document
        for block in rows.blocks(sorted(edits))
        for document in connection.execute(query.where(self_edits.c.id.in_(block))).scalars()
    )
    return learned | writer_trainings.trained_on(connection, [release.number for release, _ in made])
