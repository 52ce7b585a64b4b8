"""Writes what an ingested offers into the ledger, within a transaction. Cuts no ingested into portions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from pipeline.types import Document, DocumentState, EvalItem, IngestCounts, Ingested, Refusal
from registry.store import rows
from registry.tables import documents, eval_items

_CHANGED = "; the file was changed since"
# A run that is under way, and a release that learned, keep the questions that they were given.
_UPDATABLE = (DocumentState.QUEUED, DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED)


def write_offered(connection: Connection, ingested: Ingested, at: datetime) -> IngestCounts:
    """What the ledger makes of an ingested that holds each document and each refusal once."""
    ids = [*(document.id for document in ingested.accepted), *(refusal.id for refusal in ingested.refused)]
    known = states_of(connection, ids)
    updated = _updated(connection, [document for document in ingested.accepted if known.get(document.id) in _UPDATABLE])
    new = [document for document in ingested.accepted if document.id not in known]
    bad = [refusal for refusal in ingested.refused if refusal.id not in known]
    practised = [document for document in ingested.accepted if known.get(document.id) is DocumentState.WRITER_TRAINING]
    add_documents(connection, new, at)
    _queue_practised(connection, practised, at)
    _add_refusals(connection, bad, at)
    _reopen(connection, [refusal for refusal in ingested.refused if known.get(refusal.id) is DocumentState.DISCARDED])
    queued = len(new) + len(practised)
    duplicates = len(ingested.accepted) - queued - updated
    return IngestCounts(queued=queued, duplicates=duplicates, refused=len(bad), updated=updated)


def without_withdrawn(connection: Connection, ingested: Ingested) -> Ingested:
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


def _queue_practised(connection: Connection, offered: Sequence[Document], at: datetime) -> None:
    """Lets documents that were only practised on wait for a run, as they are offered to it."""
    _updated(connection, offered)
    for document in offered:
        values = {"state": DocumentState.QUEUED, "name": document.name, "added": at, "reason": ""}
        connection.execute(update(documents).where(documents.c.id == document.id).values(values))


def add_documents(
    connection: Connection,
    new: Sequence[Document],
    at: datetime,
    state: DocumentState = DocumentState.QUEUED,
    reason: str = "",
) -> None:
    """Adds documents that the ledger does not know, with their eval items."""
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


def _reopen(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """A refusal that was closed, and is given again, is an open question again."""
    for refusal in refusals:
        again = {"state": DocumentState.QUARANTINED, "reason": refusal.reason}
        connection.execute(update(documents).where(documents.c.id == refusal.id).values(again))


def close_refusals(connection: Connection, names: Sequence[str], refused: Collection[str]) -> None:
    """The refusals of files of these names are no longer open questions, but for those that were given now."""
    open_ = (documents.c.body.is_(None), documents.c.state == DocumentState.QUARANTINED)
    found = connection.execute(select(documents.c.id).where(documents.c.name.in_(names), *open_)).scalars()
    dead = {"state": DocumentState.DISCARDED, "reason": documents.c.reason + _CHANGED}
    for block in rows.blocks([id_ for id_ in found if id_ not in refused]):
        connection.execute(update(documents).where(documents.c.id.in_(block)).values(dead))


def _updated(connection: Connection, offered: Sequence[Document]) -> int:
    """Replaces the questions of those known documents that are offered with other ones, and counts them."""
    held = eval_items_of(connection, [document.id for document in offered])
    updated = [document for document in offered if tuple(held.get(document.id, ())) != document.eval_items]
    for block in rows.blocks([document.id for document in updated]):
        connection.execute(delete(eval_items).where(eval_items.c.document.in_(block)))
    _add_items(connection, updated)
    return len(updated)


def states_of(connection: Connection, ids: Sequence[str]) -> dict[str, DocumentState]:
    """In which state each of these documents and refusals is that the ledger knows."""
    query = select(documents.c.id, documents.c.state)
    return {
        id_: DocumentState(state)
        for block in rows.blocks(ids)
        for id_, state in connection.execute(query.where(documents.c.id.in_(block)))
    }


def eval_items_of(connection: Connection, ids: Iterable[str]) -> dict[str, list[EvalItem]]:
    """The eval items of those of these documents that have any, in their order."""
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
