"""Takes in what a source gave: parsed, cleaned, screened, without duplicates. Reads no file and stores nothing."""

import time
from collections.abc import Iterable, Iterator, Sequence

from pipeline.documents.cleaning import plain_name
from pipeline.documents.parsing import parse
from pipeline.documents.screening import too_large, too_slow, unteachable
from pipeline.recipe import DocumentRules
from pipeline.types import Document, Ingested, RawDocument, Refusal

# Bytes that are read before they are handed on; a file counts as ten thousand at least, since it makes a row.
_PORTION = 4_000_000
_LEAST_OF_A_FILE = 10_000
_REASONS_SHOWN = 3
# Some reasons quote the document.
_LONGEST_REASON = 300


def ingest(items: Iterable[RawDocument | Refusal], rules: DocumentRules) -> Ingested:
    """Each document of `items` once, each refusal with its reason; a bad item never stops the rest.

    The first of several documents with the same content wins, with its name and its questions. A file has one refusal,
    however many of its documents are bad.
    """
    return _joined(list(portions(items, rules)))


def portions(items: Iterable[RawDocument | Refusal], rules: DocumentRules) -> Iterator[Ingested]:
    """What `ingest` gives in portions of whole files, each as soon as it is read: a folder may be larger than memory.

    A document whose content stood in an earlier portion is a duplicate in a later one.
    """
    known: set[str] = set()
    read: list[Ingested] = []
    size = 0
    for item in items:
        read.append(_file(item, rules, known))
        size += max(_LEAST_OF_A_FILE, len(item.data) if isinstance(item, RawDocument) else 0)
        if size >= _PORTION:
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
    """What one file gives; the ids of its documents are added to those `known`."""
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
    """The documents of a file until its time is over.

    Time is looked at between documents, after each was parsed and screened: no step is broken off, since each takes
    time that grows with its text alone. It is this thread's own, so that a busy machine refuses nothing.
    """
    if len(item.data) > rules.max_bytes:
        yield Refusal(name=item.name, reason=too_large(len(item.data), rules.max_bytes))
        return
    started, seconds = time.thread_time(), rules.seconds_per_mb * max(1.0, len(item.data) / 1e6)
    for record in parse(item, rules.max_lines):
        found = _screened(record, rules)
        if time.thread_time() - started > seconds:
            yield Refusal(name=found.name, reason=too_slow(seconds))
            return
        yield found


def _screened(document: Document | Refusal, rules: DocumentRules) -> Document | Refusal:
    if isinstance(document, Document) and (reason := unteachable(document, rules)):
        return Refusal(name=document.name, reason=reason)
    return document


def _refused(name: str, refusals: Sequence[Refusal], count: int) -> tuple[Refusal, ...]:
    """One refusal for the file of that name and of `count` documents: its own, or how many and the first few."""
    if not refusals:
        return ()
    if count == 1 and refusals[0].name == name:
        return (Refusal(name=name, reason=_short(refusals[0].reason)),)
    shown = "; ".join(f"{one.name}: {_short(one.reason)}" for one in refusals[:_REASONS_SHOWN])
    more = "; and so on" if len(refusals) > _REASONS_SHOWN else ""
    return (Refusal(name=name, reason=f"{len(refusals):,} of its {count:,} documents are refused: {shown}{more}"),)


def _short(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
