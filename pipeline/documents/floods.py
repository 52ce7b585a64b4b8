"""Holds back near-duplicates beyond a number, so that no text weighs more by being offered in many spellings.

MinHash with locality-sensitive hashing (Broder 1997), of datasketch. Knows one reading of a source, and no ledger.
"""

import zlib
from collections import Counter
from dataclasses import replace

from datasketch import MinHash, MinHashLSH

from pipeline.documents.screening import words
from pipeline.types import Document, Ingested, Refusal

_ALIKE = 0.8  # Jaccard similarity of the runs of words
_PERMUTATIONS = 64
_RUN = 3  # words
_MOST_CHARACTERS = 20_000  # that are looked at, from a text's beginning
_FEWEST_RUNS = 8  # of shorter texts, too few words differ to tell


class FloodGuard:
    """Counts the near-duplicates of one reading, over all of its batches."""

    def __init__(self, most: int) -> None:
        """`most`: near-duplicates of one text that are taken."""
        self._most = most
        self._index = MinHashLSH(threshold=_ALIKE, num_perm=_PERMUTATIONS)
        self._first: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def without_surplus(self, ingested: Ingested) -> Ingested:
        """The ingested with each document beyond the number turned into a refusal."""
        surplus = {document.id: first for document in ingested.accepted if (first := self._surplus(document))}
        refused = tuple(
            Refusal(
                name=document.name,
                reason=f"a near-duplicate of {surplus[document.id]} and others: at most {self._most} of them are taken "
                "(advanced.documents.max_alike in the recipe)",
            )
            for document in ingested.accepted
            if document.id in surplus
        )
        kept = tuple(document for document in ingested.accepted if document.id not in surplus)
        return replace(ingested, accepted=kept, refused=(*ingested.refused, *refused))

    def _surplus(self, document: Document) -> str | None:
        """The name of the first of the documents that this one is too many of, or None."""
        found = words(document.body[:_MOST_CHARACTERS].casefold())
        runs = {" ".join(found[at : at + _RUN]).encode() for at in range(len(found) - _RUN + 1)}
        if len(runs) < _FEWEST_RUNS:
            return None
        hashed = MinHash(num_perm=_PERMUTATIONS, hashfunc=zlib.crc32)
        hashed.update_batch(runs)
        group = min((self._first[one] for one in self._index.query(hashed)), default=document.name)
        self._counts[group] += 1
        if self._counts[group] > self._most:
            return group
        self._index.insert(document.id, hashed)
        self._first[document.id] = group
        return None
