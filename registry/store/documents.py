"""The documents of the ledger: ingested, looked up, quarantined, requeued. Runs lease and settle them in `runs`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, and_, func, select, update

from pipeline.digests import digest_of
from pipeline.errors import BadInput, InternalError, LedgerTampered, NoSuchDocument, PolicyError
from pipeline.types import (
    Document,
    DocumentRecord,
    DocumentState,
    EvalItem,
    IngestCounts,
    Ingested,
    Origin,
    QueuedDocument,
    Run,
    Split,
)
from registry.columns import decode
from registry.store import ingestion
from registry.store.database import Database, FencedDatabase, blocks, now
from registry.store.journal import REPAIR
from registry.tables import documents, eval_items

_OLDEST_FIRST = (documents.c.added, documents.c.name, documents.c.id)
_WAITING = (DocumentState.QUEUED, DocumentState.REVERTED)
_RETRIABLE = (DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED)


@dataclass(frozen=True)
class Documents:
    """Ingests and reads documents, and carries out what an operator decides about them."""

    database: Database

    def accept(self, ingested: Ingested, at: datetime | None = None) -> IngestCounts:
        """Queues new documents and records new refusals. A document that is known in any state counts as a duplicate.

        A known document that is neither leased nor learned gets the questions it is offered with, where they differ.
        One that only a writer training used is queued; one that was withdrawn is refused with the reason.

        It writes in short transactions, between which others decide. Killed and begun again, it ends the same.
        """
        at = at or now()
        repeated = ingested.duplicates + len(ingested.accepted) - len({document.id for document in ingested.accepted})
        counts, refused = IngestCounts(queued=0, duplicates=repeated, refused=0), set[str]()
        for portion in ingestion.portions(ingested):
            with ingestion.turn(self.database) as connection:
                kept = ingestion.without_withdrawn(connection, portion)
                counts += ingestion.write(connection, kept, at)
            refused.update(refusal.id for refusal in kept.refused)
        for names in blocks(sorted({*ingested.files, *(document.name for document in ingested.accepted)})):
            with ingestion.turn(self.database) as connection:
                ingestion.close_refusals(connection, names, refused)
        return counts

    def without_withdrawn(self, ingested: Ingested) -> Ingested:
        """The ingested with each document that was withdrawn turned into a refusal; nothing is queued."""
        with self.database.read() as connection:
            return ingestion.without_withdrawn(connection, ingested)

    def count(self) -> tuple[tuple[DocumentState, int], ...]:
        """How many documents are in each state, refused inputs included; states that hold none are left out."""
        query = select(documents.c.state, func.count()).group_by(documents.c.state)
        with self.database.read() as connection:
            counted = {DocumentState(state): number for state, number in connection.execute(query)}
        return tuple((state, counted[state]) for state in DocumentState if state in counted)

    def listed(self, state: DocumentState | None = None) -> tuple[DocumentRecord, ...]:
        """All that was ever offered, oldest first; refused inputs have no document."""
        query = select(documents).order_by(*_OLDEST_FIRST)
        with self.database.read() as connection:
            return _records(connection, query if state is None else query.where(documents.c.state == state))

    def queued(self) -> tuple[QueuedDocument, ...]:
        """The documents that wait for a run, oldest first, without their texts."""
        questions = func.count(eval_items.c.position).label("questions")
        tested = and_(eval_items.c.document == documents.c.id, eval_items.c.split == Split.TEST)
        query = (
            select(documents.c.id, documents.c.name, documents.c.kind, questions)
            .outerjoin(eval_items, tested)
            .where(documents.c.state == DocumentState.QUEUED)
            .group_by(documents.c.id)
            .order_by(*_OLDEST_FIRST)
        )
        with self.database.read() as connection:
            return tuple(decode(QueuedDocument, {**row}) for row in connection.execute(query).mappings())

    def get(self, id_or_prefix: str) -> DocumentRecord:
        """The document of that id, or of that unique beginning (4 hex digits or more).

        Raises NoSuchDocument, or BadInput if several begin so or it is no id at all.
        """
        with self.database.read() as connection:
            return find(connection, id_or_prefix)

    def of(self, ids: Sequence[str]) -> tuple[Document, ...]:
        """The documents of these ids, in this order. Raises NoSuchDocument, LedgerTampered."""
        with self.database.read() as connection:
            found: dict[str, Document] = {}
            for block in blocks(ids):
                records = _records(connection, select(documents).where(documents.c.id.in_(block)))
                found |= {record.id: _unchanged(record) for record in records if record.document is not None}
        if missing := [id_ for id_ in ids if id_ not in found]:
            raise NoSuchDocument(f"the ledger holds no document {missing[0]}. See `sealed documents`.")
        return tuple(found[id_] for id_ in ids)

    def learned(self) -> tuple[tuple[int, tuple[Document, ...]], ...]:
        """What production has learned: (release number, its documents), oldest release first. Raises LedgerTampered."""
        query = select(documents).where(documents.c.state == DocumentState.LEARNED)
        groups: dict[int, list[Document]] = {}
        with self.database.read() as connection:
            for record in _records(connection, query.order_by(documents.c.release, *_OLDEST_FIRST)):
                if record.document is not None and record.release is not None:
                    groups.setdefault(record.release, []).append(_unchanged(record))
        return tuple((release, tuple(group)) for release, group in groups.items())

    def ledger_digest(self, run: Run) -> str:
        """One digest over the documents that an adapter of this run learns: all that are learned, and the run's own."""
        query = select(documents.c.id).where(documents.c.state == DocumentState.LEARNED)
        with self.database.read() as connection:
            return digest_of("ledger", sorted(connection.execute(query).scalars()), sorted(run.documents))

    def quarantine(self, id_or_prefix: str, reason: str) -> DocumentRecord:
        """Quarantines a waiting document. Raises PolicyError if it is not waiting."""
        if not reason.strip():
            raise BadInput("quarantining a document needs a reason.")
        with self.database.write() as connection:
            return _move(connection, id_or_prefix, _WAITING, DocumentState.QUARANTINED, reason)

    def requeue(self, ids: Sequence[str]) -> tuple[DocumentRecord, ...]:
        """Queues documents (ids or prefixes) that were quarantined, discarded or reverted: all of them or none.

        Their attempts are forgotten. Raises PolicyError if one is in another state, or nothing readable of it was kept.
        """
        with self.database.write() as connection:
            found = {record.id: record for record in (find(connection, one) for one in ids)}
            return tuple(_move(connection, one, _RETRIABLE, DocumentState.QUEUED, "") for one in found)


@dataclass(frozen=True)
class SessionDocuments:
    """Writes to documents under the lease. Raises LeaseLost once the lease is lost."""

    database: FencedDatabase

    def add_items(self, written: Mapping[str, Sequence[EvalItem]]) -> None:
        """Adds validation items that the model wrote to the documents of these ids, after what they brought.

        Idempotent: a document that has an eval item by the model gets no more.
        """
        with self.database.write() as connection:
            known = ingestion.eval_items_of(connection, written)
            fresh = [
                (document, len(known.get(document, ())), items)
                for document, items in written.items()
                if all(eval_item.origin is not Origin.MODEL for eval_item in known.get(document, ()))
            ]
            ingestion.add_items(connection, fresh)


def find(connection: Connection, id_or_prefix: str) -> DocumentRecord:
    """`Documents.get` within a transaction."""
    prefix = id_or_prefix.strip().lower()
    if not re.fullmatch("[0-9a-f]{4,64}", prefix):
        raise BadInput(f"{id_or_prefix!r} is no document id: give 4 or more of its hex digits (`sealed documents`).")
    found = _records(connection, select(documents).where(documents.c.id.startswith(prefix)).limit(2))
    if not found:
        raise NoSuchDocument(f"there is no document {prefix}. See `sealed documents`.")
    if len(found) > 1:
        raise BadInput(f"several documents begin with {prefix}: give more digits.")
    return found[0]


def _move(
    connection: Connection, id_or_prefix: str, before: Sequence[DocumentState], after: DocumentState, reason: str
) -> DocumentRecord:
    record = find(connection, id_or_prefix)
    if record.document is None:
        raise PolicyError(
            f"nothing readable of {record.name} was kept ({record.reason}): correct the file, then update."
        )
    if record.state not in before:
        raise PolicyError(f"document {record.id[:12]} is {record.state}: it cannot become {after} from there.")
    values = {"state": after, "reason": reason, "release": None, "attempts": 0}
    done = connection.execute(update(documents).where(documents.c.id == record.id).values(values))
    if done.rowcount != 1:
        raise InternalError(f"document {record.id} vanished within a transaction. Please report it.")
    return find(connection, record.id)


def _unchanged(record: DocumentRecord) -> Document:
    """The document of a record that has one. Raises LedgerTampered where its text is not the one that has this id."""
    document = record.document
    if document is None or document.id != record.id:
        raise LedgerTampered(
            f"the ledger was changed by other hands than ours: document {record.id[:12]} ({record.name}) holds another "
            f"text than was taken in. {REPAIR}."
        )
    return document


def _records(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[DocumentRecord, ...]:
    found = connection.execute(query).mappings().all()
    items = ingestion.eval_items_of(connection, [row["id"] for row in found])
    whole = [{**row, "eval_items": tuple(items.get(row["id"], ()))} for row in found]
    return tuple(decode(DocumentRecord, {**row, "document": row if row["body"] is not None else None}) for row in whole)
