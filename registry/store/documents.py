"""The documents of the ledger: taken in, looked up, set aside. Runs lease and settle them in `runs`."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, func, insert, select, update

from pipeline.digests import digest_of
from pipeline.errors import BadInput, InternalError, NoSuchDocument, PolicyError
from pipeline.types import (
    Document,
    DocumentRecord,
    DocumentState,
    EvalItem,
    IngestCounts,
    Ingested,
    Lease,
    Origin,
    Run,
)
from registry.store import lease, offered, rows, turns
from registry.store.database import Store
from registry.tables import documents, eval_items

_OLDEST_FIRST = (documents.c.added, documents.c.name, documents.c.id)


def accept(store: Store, ingested: Ingested, at: datetime | None = None) -> IngestCounts:
    """Queues new documents and records new refusals. What the ledger knows in any state is a duplicate, and stays.

    A known document that is neither leased nor learned takes the questions it is offered with, where they differ.
    One that was only practised on is new to the runs; one that was withdrawn is refused with the reason.

    It writes in short turns, between which others decide. Killed between two of them and begun again, it ends the same.
    """
    at = at or rows.now()
    repeated = ingested.duplicates + len(ingested.accepted) - len({document.id for document in ingested.accepted})
    counts, refused = IngestCounts(queued=0, duplicates=repeated, refused=0), set[str]()
    for portion in turns.portions(ingested):
        with turns.turn(store) as connection:
            kept = offered.without_withdrawn(connection, portion)
            counts += offered.write_offered(connection, kept, at)
        refused.update(refusal.id for refusal in kept.refused)
    for names in rows.blocks(sorted({*ingested.files, *(document.name for document in ingested.accepted)})):
        with turns.turn(store) as connection:
            offered.close_refusals(connection, names, refused)
    return counts


def without_withdrawn(store: Store, ingested: Ingested) -> Ingested:
    """The ingested with each document that was withdrawn turned into a refusal; nothing is queued."""
    with store.read() as connection:
        return offered.without_withdrawn(connection, ingested)


def add_items(store: Store, held: Lease, written: Mapping[str, Sequence[EvalItem]]) -> None:
    """Adds validation items that the model wrote to the documents of these ids, after what they brought.

    Idempotent: a document that has an eval item by the model gets no more.
    """
    with store.write() as connection:
        lease.check(connection, held)
        known = offered.eval_items_of(connection, written)
        values = [
            rows.row_of_item(document, position, eval_item)
            for document, fresh in written.items()
            if all(eval_item.origin is not Origin.MODEL for eval_item in known.get(document, ()))
            for position, eval_item in enumerate(fresh, start=len(known.get(document, ())))
        ]
        if values:
            connection.execute(insert(eval_items), values)


def count(store: Store) -> tuple[tuple[DocumentState, int], ...]:
    """How many documents are in each state, refused inputs included; states that hold none are left out."""
    query = select(documents.c.state, func.count()).group_by(documents.c.state)
    with store.read() as connection:
        counted = {DocumentState(state): number for state, number in connection.execute(query)}
    return tuple((state, counted[state]) for state in DocumentState if state in counted)


def listed(store: Store, state: DocumentState | None = None) -> tuple[DocumentRecord, ...]:
    """All that was ever offered, oldest first; refused inputs have no document."""
    query = select(documents).order_by(*_OLDEST_FIRST)
    with store.read() as connection:
        return _records(connection, query if state is None else query.where(documents.c.state == state))


def get(store: Store, id_or_prefix: str) -> DocumentRecord:
    """The document of that id, or of that unique beginning (4 hex digits or more).

    Raises NoSuchDocument, or BadInput if several begin so or it is no id at all.
    """
    with store.read() as connection:
        return find(connection, id_or_prefix)


def of(store: Store, ids: Sequence[str]) -> tuple[Document, ...]:
    """The documents of these ids, in this order."""
    with store.read() as connection:
        found: dict[str, Document] = {}
        for block in rows.blocks(ids):
            records = _records(connection, select(documents).where(documents.c.id.in_(block)))
            found |= {record.id: record.document for record in records if record.document is not None}
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise NoSuchDocument(f"the ledger holds no document {missing[0]}. See `sealed documents`.")
    return tuple(found[id_] for id_ in ids)


def learned(store: Store) -> tuple[tuple[int, tuple[Document, ...]], ...]:
    """What production has learned: (release number, its documents), oldest release first."""
    query = select(documents).where(documents.c.state == DocumentState.LEARNED)
    groups: dict[int, list[Document]] = {}
    with store.read() as connection:
        for record in _records(connection, query.order_by(documents.c.release, *_OLDEST_FIRST)):
            if record.document is not None and record.release is not None:
                groups.setdefault(record.release, []).append(record.document)
    return tuple((release, tuple(group)) for release, group in groups.items())


def ledger_digest(store: Store, run: Run) -> str:
    """One digest over what an adapter of this run has been taught: all that is learned, and the run's own."""
    query = select(documents.c.id).where(documents.c.state == DocumentState.LEARNED)
    with store.read() as connection:
        return digest_of("ledger", sorted(connection.execute(query).scalars()), sorted(run.documents))


def quarantine(store: Store, id_or_prefix: str, reason: str) -> DocumentRecord:
    """Sets a waiting document aside. Raises PolicyError if it is not waiting."""
    if not reason.strip():
        raise BadInput("setting a document aside needs a reason.")
    waiting = (DocumentState.QUEUED, DocumentState.REVERTED)
    with store.write() as connection:
        return _set(connection, id_or_prefix, waiting, DocumentState.QUARANTINED, reason)


def requeue(store: Store, ids: Sequence[str]) -> tuple[DocumentRecord, ...]:
    """Lets documents (ids or prefixes) that were set aside or reverted wait for the next run: all of them or none.

    Their attempts are forgotten. Raises PolicyError if one is elsewhere, or if nothing readable of it was kept.
    """
    aside = (DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED)
    with store.write() as connection:
        found = {record.id: record for record in (find(connection, one) for one in ids)}
        return tuple(_set(connection, one, aside, DocumentState.QUEUED, "") for one in found)


def _set(
    connection: Connection, id_or_prefix: str, before: Sequence[DocumentState], after: DocumentState, reason: str
) -> DocumentRecord:
    record = find(connection, id_or_prefix)
    if record.document is None:
        raise PolicyError(f"nothing readable of {record.name} was kept ({record.reason}): mend the file, then update.")
    if record.state not in before:
        raise PolicyError(f"document {record.id[:12]} is {record.state}: it cannot become {after} from there.")
    values = {"state": after, "reason": reason, "release": None, "attempts": 0}
    done = connection.execute(update(documents).where(documents.c.id == record.id).values(values))
    if done.rowcount != 1:
        raise InternalError(f"document {record.id} vanished within a transaction. Please report it.")
    return find(connection, record.id)


def withdrawn_among(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those of these documents that are withdrawn, within a transaction."""
    return [one for one, state in offered.states_of(connection, ids).items() if state is DocumentState.WITHDRAWN]


def keep_practised(connection: Connection, found: Sequence[Document], reason: str, at: datetime) -> None:
    """Stores those documents of a practice that the ledger does not know, within a transaction; the others stay."""
    known = offered.states_of(connection, [document.id for document in found])
    new = [document for document in found if document.id not in known]
    offered.add_documents(connection, new, at, DocumentState.WRITER_TRAINING, reason)


def find(connection: Connection, id_or_prefix: str) -> DocumentRecord:
    """`get` within a transaction."""
    prefix = id_or_prefix.strip().lower()
    if not re.fullmatch("[0-9a-f]{4,64}", prefix):
        raise BadInput(f"{id_or_prefix!r} is no document id: give 4 or more of its hex digits (`sealed documents`).")
    found = _records(connection, select(documents).where(documents.c.id.startswith(prefix)).limit(2))
    if not found:
        raise NoSuchDocument(f"there is no document {prefix}. See `sealed documents`.")
    if len(found) > 1:
        raise BadInput(f"several documents begin with {prefix}: give more digits.")
    return found[0]


def _records(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[DocumentRecord, ...]:
    found = connection.execute(query).mappings().all()
    asked = offered.eval_items_of(connection, [row["id"] for row in found])
    return tuple(rows.record_of(row, tuple(asked.get(row["id"], ()))) for row in found)
