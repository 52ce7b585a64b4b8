"""Turns what a source gave into documents: parsed, cleaned, screened, without duplicates. Stores nothing."""

import time
from collections.abc import Iterable, Iterator, Sequence

from pipeline.documents.cleaning import plain_name
from pipeline.documents.disclosure import without_disclosures, without_secrets
from pipeline.documents.parsing import parse, seconds_for
from pipeline.documents.screening import too_large, unlearnable
from pipeline.recipe import DocumentRules
from pipeline.types import Document, Ingested, RawDocument, Refusal

_BATCH = 4_000_000  # bytes
_LEAST_OF_A_FILE = 10_000  # bytes that a small file counts as: each makes a row of the ledger
_REASONS_SHOWN = 3
_LONGEST_REASON = 300  # characters; some reasons quote the document


def ingest(items: Iterable[RawDocument | Refusal], rules: DocumentRules) -> Ingested:
    """The documents of `items` without duplicates, and the refusals with their reasons; a bad item stops no other.

    Of several documents with the same content the first is kept, with its name and questions. A file gets one refusal
    at most, however many of its documents are bad.
    """
    return _joined(list(ingest_in_batches(items, rules)))


def ingest_in_batches(items: Iterable[RawDocument | Refusal], rules: DocumentRules) -> Iterator[Ingested]:
    """As `ingest`, in batches of whole files as they are read, since a folder may be larger than memory.

    A document whose content stood in an earlier batch is a duplicate in a later one.
    """
    known: set[str] = set()
    read: list[Ingested] = []
    size = 0
    for item in items:
        read.append(_file(item, rules, known))
        size += max(_LEAST_OF_A_FILE, len(item.data) if isinstance(item, RawDocument) else 0)
        if size >= _BATCH:
            yield _joined(read)
            read, size = [], 0
    if read:
        yield _joined(read)


def _joined(parts: Sequence[Ingested]) -> Ingested:
    return Ingested(
        accepted=tuple(document for part in parts for document in part.accepted),
        refused=tuple(refusal for part in parts for refusal in part.refused),
        duplicates=sum(part.duplicates for part in parts),
        files=tuple(file for part in parts for file in part.files),
    )


def _file(item: RawDocument | Refusal, rules: DocumentRules, known: set[str]) -> Ingested:
    """The documents and the refusal of one file; the documents' ids are added to `known`."""
    name = plain_name(item.name)
    found = [item] if isinstance(item, Refusal) else list(_records(item, rules))
    documents = [one for one in found if isinstance(one, Document)]
    fresh = {one.id: one for one in reversed(documents) if one.id not in known}
    known.update(fresh)
    return Ingested(
        accepted=tuple(one for one in documents if fresh.get(one.id) is one),
        refused=_refused(name, [one for one in found if isinstance(one, Refusal)], len(found)),
        duplicates=len(documents) - len(fresh),
        files=(name,),
    )


def _records(item: RawDocument, rules: DocumentRules) -> Iterator[Document | Refusal]:
    """The documents of a file, up to the one after which its time is over.

    The time is this thread's, so that a busy machine refuses nothing, and is checked after each document was parsed
    and screened: no step needs to be broken off, since each takes time linear in its text.
    """
    if len(item.data) > rules.max_bytes:
        yield Refusal(name=item.name, reason=too_large(len(item.data), rules.max_bytes))
        return
    started, seconds = time.thread_time(), seconds_for(len(item.data), rules)
    for found in parse(item, rules):
        if isinstance(found, Document) and (reason := unlearnable(found, rules)):
            found = Refusal(name=found.name, reason=reason)
        if isinstance(found, Document):
            found = without_disclosures(found, rules)
        if time.thread_time() - started > seconds:
            reason = (
                f"too slow: the file was not read within {seconds:g} seconds (advanced.documents.seconds_per_mb in the "
                "recipe), and what may follow was left out"
            )
            yield Refusal(name=found.name, reason=reason)
            return
        yield found


def _refused(name: str, refusals: Sequence[Refusal], count: int) -> tuple[Refusal, ...]:
    """The refusal of a file of `count` documents: the only one, or how many there are with the first reasons."""
    if not refusals:
        return ()
    if count == 1 and refusals[0].name == name:
        return (Refusal(name=name, reason=_short(refusals[0].reason)),)
    shown = "; ".join(f"{one.name}: {_short(one.reason)}" for one in refusals[:_REASONS_SHOWN])
    more = "; and so on" if len(refusals) > _REASONS_SHOWN else ""
    return (Refusal(name=name, reason=f"{len(refusals):,} of its {count:,} documents are refused: {shown}{more}"),)


def _short(reason: str) -> str:
    reason = without_secrets(reason)
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
