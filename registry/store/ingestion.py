"""Writes ingested documents into the ledger, in portions whose short transactions keep no decision waiting."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from pipeline.types import Document, DocumentState, EvalItem, IngestCounts, Ingested, Refusal
from registry.columns import decode, fields_of
from registry.store.database import Database, blocks
from registry.tables import documents, eval_items

# Rows of one portion, or what weighs as much: some hundredths of a second, also on a machine that others use.
_ROWS = 200
_CHARACTERS_A_ROW = 10_000
_CHANGED = "; the file was changed since"
# A run that is under way, and a release that learned, keep the questions that they were given.
_UPDATABLE = (DocumentState.QUEUED, DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED)


@contextmanager
def turn(database: Database) -> Iterator[Connection]:
    """A writing transaction after which the ledger is left unlocked for as long as the transaction took.

    SQLite has no queue of writers, each polls: between transactions that follow one another at once, another process
    would hardly ever find the ledger free.
    """
    with database.write() as connection:
        started = time.monotonic()
        yield connection
    time.sleep(time.monotonic() - started)


def portions(ingested: Ingested) -> Iterator[Ingested]:
    """Each document and each refusal once, in portions for a transaction each; the last of an id wins."""
    everything: dict[str, Document | Refusal] = {document.id: document for document in ingested.accepted}
    everything |= {refusal.id: refusal for refusal in ingested.refused}
    portion: list[Document | Refusal] = []
    weight = 0
    for one in everything.values():
        portion.append(one)
        weight += 1 if isinstance(one, Refusal) else 1 + len(one.eval_items) + len(one.body) // _CHARACTERS_A_ROW
        if weight >= _ROWS:
            yield _ingested(portion)
            portion, weight = [], 0
    if portion:
        yield _ingested(portion)


def _ingested(portion: list[Document | Refusal]) -> Ingested:
    return Ingested(
        accepted=tuple(one for one in portion if isinstance(one, Document)),
        refused=tuple(one for one in portion if isinstance(one, Refusal)),
        duplicates=0,
    )


def write(connection: Connection, ingested: Ingested, at: datetime) -> IngestCounts:
    """Queues what is new of a portion, updates the questions of known documents, and counts both."""
    ids = [*(document.id for document in ingested.accepted), *(refusal.id for refusal in ingested.refused)]
    known = states_of(connection, ids)
    updated = _update_items(connection, [one for one in ingested.accepted if known.get(one.id) in _UPDATABLE])
    new = [document for document in ingested.accepted if document.id not in known]
    bad = [refusal for refusal in ingested.refused if refusal.id not in known]
    trained_on = [one for one in ingested.accepted if known.get(one.id) is DocumentState.WRITER_TRAINING]
    add_documents(connection, new, at)
    _queue_known(connection, trained_on, at)
    _add_refusals(connection, bad, at)
    _reopen(connection, [refusal for refusal in ingested.refused if known.get(refusal.id) is DocumentState.DISCARDED])
    queued = len(new) + len(trained_on)
    duplicates = len(ingested.accepted) - queued - updated
    return IngestCounts(queued=queued, duplicates=duplicates, refused=len(bad), updated=updated)


def without_withdrawn(connection: Connection, ingested: Ingested) -> Ingested:
    """The ingested with each document that was withdrawn turned into a refusal."""
    gone: dict[str, str] = {}
    query = select(documents.c.id, documents.c.reason).where(documents.c.state == DocumentState.WITHDRAWN)
    for block in blocks([document.id for document in ingested.accepted]):
        gone.update((id_, reason) for id_, reason in connection.execute(query.where(documents.c.id.in_(block))))
    kept = tuple(document for document in ingested.accepted if document.id not in gone)
    again = tuple(
        Refusal(name=document.name, reason=f"not taken again: document {document.id[:12]} was {gone[document.id]}")
        for document in ingested.accepted
        if document.id in gone
    )
    return replace(ingested, accepted=kept, refused=(*ingested.refused, *again))


def add_documents(
    connection: Connection,
    new: Sequence[Document],
    at: datetime,
    state: DocumentState = DocumentState.QUEUED,
    reason: str = "",
) -> None:
    """Adds documents that the ledger does not know, with their eval items."""
    common = {"state": state, "added": at}
    values = [
        {"id": d.id, "name": d.name, "kind": d.kind, "title": d.title, "body": d.body}
        | {"reason": reason or "; ".join(d.remarks)}
        | common
        for d in new
    ]
    if values:
        connection.execute(insert(documents), values)
    add_items(connection, [(document.id, 0, document.eval_items) for document in new])


def add_items(connection: Connection, added: Iterable[tuple[str, int, Sequence[EvalItem]]]) -> None:
    """Adds eval items to documents: each document's id, the position of the first item, and the items."""
    values = [
        fields_of(eval_item) | {"document": document, "position": position}
        for document, first, items in added
        for position, eval_item in enumerate(items, start=first)
    ]
    if values:
        connection.execute(insert(eval_items), values)


def close_refusals(connection: Connection, names: Sequence[str], refused: Collection[str]) -> None:
    """Discards the open refusals of files of these names, but for those of the ids `refused`."""
    open_ = (documents.c.body.is_(None), documents.c.state == DocumentState.QUARANTINED)
    found = connection.execute(select(documents.c.id).where(documents.c.name.in_(names), *open_)).scalars()
    discarded = {"state": DocumentState.DISCARDED, "reason": documents.c.reason + _CHANGED}
    for block in blocks([id_ for id_ in found if id_ not in refused]):
        connection.execute(update(documents).where(documents.c.id.in_(block)).values(discarded))


def states_of(connection: Connection, ids: Sequence[str]) -> dict[str, DocumentState]:
    """The states of those of these documents and refusals that the ledger knows."""
    query = select(documents.c.id, documents.c.state)
    return {
        id_: DocumentState(state)
        for block in blocks(ids)
        for id_, state in connection.execute(query.where(documents.c.id.in_(block)))
    }


def eval_items_of(connection: Connection, ids: Iterable[str]) -> dict[str, list[EvalItem]]:
    """The eval items of those of these documents that have any, in their order."""
    grouped: dict[str, list[EvalItem]] = {}
    query = select(eval_items).order_by(eval_items.c.document, eval_items.c.position)
    for block in blocks(list(ids)):
        for row in connection.execute(query.where(eval_items.c.document.in_(block))).mappings():
            grouped.setdefault(row["document"], []).append(decode(EvalItem, {**row}))
    return grouped


def _update_items(connection: Connection, offered: Sequence[Document]) -> int:
    """Replaces the eval items of those known documents that are offered with other ones, and counts them."""
    stored = eval_items_of(connection, [document.id for document in offered])
    updated = [document for document in offered if tuple(stored.get(document.id, ())) != document.eval_items]
    for block in blocks([document.id for document in updated]):
        connection.execute(delete(eval_items).where(eval_items.c.document.in_(block)))
    add_items(connection, [(document.id, 0, document.eval_items) for document in updated])
    return len(updated)


def _queue_known(connection: Connection, offered: Sequence[Document], at: datetime) -> None:
    """Queues documents that only a writer training used, as they are offered now."""
    _update_items(connection, offered)
    for document in offered:
        values = {"state": DocumentState.QUEUED, "name": document.name, "added": at, "reason": ""}
        connection.execute(update(documents).where(documents.c.id == document.id).values(values))


def _add_refusals(connection: Connection, refusals: Sequence[Refusal], at: datetime) -> None:
    quarantined = {"state": DocumentState.QUARANTINED, "added": at}
    values = [{"id": refusal.id, "name": refusal.name, "reason": refusal.reason} | quarantined for refusal in refusals]
    if values:
        connection.execute(insert(documents), values)


def _reopen(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Quarantines discarded refusals that were given again."""
    for refusal in refusals:
        again = {"state": DocumentState.QUARANTINED, "reason": refusal.reason}
        connection.execute(update(documents).where(documents.c.id == refusal.id).values(again))
