"""The documents of the ledger: taken in, looked up, set aside. Runs lease and settle them in `runs`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Select, delete, func, insert, select, update

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
    Refusal,
    Run,
)
from registry.store import lease, rows
from registry.store.database import Store
from registry.tables import documents, eval_items

_OLDEST_FIRST = (documents.c.added, documents.c.name, documents.c.id)
_UPDATED = "; the file was updated since"
# A run that is under way, and a release that learned, keep the questions that they were given.
_UPDATABLE = (DocumentState.QUEUED, DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED)


def accept(store: Store, ingested: Ingested, at: datetime | None = None) -> IngestCounts:
    """Queues new documents and records new refusals. What the ledger knows in any state is a duplicate, and stays.

    A known document that is neither leased nor learned takes the questions it is offered with, where they differ.
    One that was only practised on is new to the runs; one that was withdrawn is refused with the reason.
    """
    with store.write() as connection:
        ingested = _without_withdrawn(connection, ingested)
        offered = {document.id: document for document in ingested.accepted}
        refused = {refusal.id: refusal for refusal in ingested.refused}
        repeated = ingested.duplicates + len(ingested.accepted) - len(offered)
        known = _known(connection, [*offered, *refused])
        updated = _updated(connection, [document for id_, document in offered.items() if known.get(id_) in _UPDATABLE])
        new = [document for id_, document in offered.items() if id_ not in known]
        bad = [refusal for id_, refusal in refused.items() if id_ not in known]
        practised = [document for id_, document in offered.items() if known.get(id_) is DocumentState.WRITER_TRAINING]
        _add_documents(connection, new, at or rows.now())
        _queue_practised(connection, practised, at or rows.now())
        _add_refusals(connection, bad, at or rows.now())
        _note_updated(connection, ingested)
    queued = len(new) + len(practised)
    duplicates = repeated + len(offered) - queued - updated
    return IngestCounts(queued=queued, duplicates=duplicates, refused=len(bad), updated=updated)


def without_withdrawn(store: Store, ingested: Ingested) -> Ingested:
    """The ingested with each document that was withdrawn turned into a refusal; nothing is queued."""
    with store.read() as connection:
        return _without_withdrawn(connection, ingested)


def add_items(store: Store, held: Lease, written: Mapping[str, Sequence[EvalItem]]) -> None:
    """Adds validation items that the model wrote to the documents of these ids, after what they brought.

    Idempotent: a document that has an eval item by the model gets no more.
    """
    with store.write() as connection:
        lease.check(connection, held)
        known = _items(connection, written)
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


def _known(connection: Connection, ids: Sequence[str]) -> dict[str, DocumentState]:
    query = select(documents.c.id, documents.c.state)
    return {
        id_: DocumentState(state)
        for block in rows.blocks(ids)
        for id_, state in connection.execute(query.where(documents.c.id.in_(block)))
    }


def _without_withdrawn(connection: Connection, ingested: Ingested) -> Ingested:
    """The ingested with each withdrawn document it offers again turned into a refusal."""
    gone: dict[str, str] = {}
    query = select(documents.c.id, documents.c.reason).where(documents.c.state == DocumentState.WITHDRAWN)
    for block in rows.blocks([document.id for document in ingested.accepted]):
        for id_, reason in connection.execute(query.where(documents.c.id.in_(block))):
            gone[id_] = reason
    kept = tuple(document for document in ingested.accepted if document.id not in gone)
    again = tuple(
        Refusal(name=document.name, reason=f"not taken again: document {document.id[:12]} was {gone[document.id]}")
        for document in ingested.accepted
        if document.id in gone
    )
    return replace(ingested, accepted=kept, refused=(*ingested.refused, *again))


def _updated(connection: Connection, offered: Sequence[Document]) -> int:
    """Replaces the questions of those known documents that are offered with other ones, and counts them."""
    held = _items(connection, [document.id for document in offered])
    updated = [document for document in offered if tuple(held.get(document.id, ())) != document.eval_items]
    for block in rows.blocks([document.id for document in updated]):
        connection.execute(delete(eval_items).where(eval_items.c.document.in_(block)))
    _add_items(connection, updated)
    return len(updated)


def withdrawn_among(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those of these documents that are withdrawn, within a transaction."""
    return [one for one, state in _known(connection, ids).items() if state is DocumentState.WITHDRAWN]


def keep_practised(connection: Connection, found: Sequence[Document], reason: str, at: datetime) -> None:
    """Stores those documents of a practice that the ledger does not know, within a transaction; the others stay."""
    known = _known(connection, [document.id for document in found])
    new = [document for document in found if document.id not in known]
    _add_documents(connection, new, at, DocumentState.WRITER_TRAINING, reason)


def _queue_practised(connection: Connection, offered: Sequence[Document], at: datetime) -> None:
    """Lets documents that were only practised on wait for a run, as they are offered to it."""
    _updated(connection, offered)
    for document in offered:
        values = {"state": DocumentState.QUEUED, "name": document.name, "added": at, "reason": ""}
        connection.execute(update(documents).where(documents.c.id == document.id).values(values))


def _add_documents(
    connection: Connection,
    new: Sequence[Document],
    at: datetime,
    state: DocumentState = DocumentState.QUEUED,
    reason: str = "",
) -> None:
    values = [
        {"id": d.id, "state": state, "name": d.name, "added": at, "reason": reason} | _content(d.kind, d.title, d.body)
        for d in new
    ]
    if values:
        connection.execute(insert(documents), values)
    _add_items(connection, new)


def _add_items(connection: Connection, of: Sequence[Document]) -> None:
    asked = [rows.row_of_item(d.id, position, eval_item) for d in of for position, eval_item in enumerate(d.eval_items)]
    if asked:
        connection.execute(insert(eval_items), asked)


def _content(kind: str, title: str, body: str) -> dict[str, object]:
    return {"kind": kind, "title": title, "body": body}


def _add_refusals(connection: Connection, refusals: Sequence[Refusal], at: datetime) -> None:
    aside = DocumentState.QUARANTINED
    values = [{"id": r.id, "state": aside, "name": r.name, "reason": r.reason, "added": at} for r in refusals]
    if values:
        connection.execute(insert(documents), values)


def _note_updated(connection: Connection, ingested: Ingested) -> None:
    """A refused file that is readable now is no longer an open question; one that is refused again is."""
    refused = {refusal.name for refusal in ingested.refused}
    for block in rows.blocks(sorted({document.name for document in ingested.accepted} - refused)):
        open_ = (documents.c.body.is_(None), documents.c.state == DocumentState.QUARANTINED)
        dead = {"state": DocumentState.DISCARDED, "reason": documents.c.reason + _UPDATED}
        connection.execute(update(documents).where(documents.c.name.in_(block), *open_).values(dead))
    for refusal in ingested.refused:
        again = {"state": DocumentState.QUARANTINED, "reason": refusal.reason}
        dead_ = (documents.c.id == refusal.id, documents.c.state == DocumentState.DISCARDED)
        connection.execute(update(documents).where(*dead_).values(again))


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
    asked = _items(connection, [row["id"] for row in found])
    return tuple(rows.record_of(row, tuple(asked.get(row["id"], ()))) for row in found)


def _items(connection: Connection, ids: Iterable[str]) -> dict[str, list[EvalItem]]:
    grouped: dict[str, list[EvalItem]] = {}
    for block in rows.blocks(list(ids)):
        query = (
            select(eval_items)
            .where(eval_items.c.document.in_(block))
            .order_by(eval_items.c.document, eval_items.c.position)
        )
        for row in connection.execute(query).mappings():
            grouped.setdefault(row["document"], []).append(rows.eval_item_of(row))
    return grouped
