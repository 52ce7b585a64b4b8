"""Cuts an ingested into portions that are written in short turns, so that it never keeps a decision waiting."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from pipeline.types import Document, Ingested, Refusal
from registry.store.database import Store

# Rows of one turn, or what weighs as much: some hundredths of a second.
_ROWS = 500
_CHARACTERS_A_ROW = 10_000


@contextmanager
def turn(store: Store) -> Iterator[Connection]:
    """A writing transaction after which the ledger is left alone for as long as it was held.

    Who waits to write to SQLite stands in no queue, but looks now and then: between turns that follow one another at
    once it would hardly ever find the ledger free.
    """
    with store.write() as connection:
        started = time.monotonic()
        yield connection
    time.sleep(time.monotonic() - started)


def portions(ingested: Ingested) -> Iterator[Ingested]:
    """Each document and each refusal of the ingested once, in portions for a turn each; the last of an id wins."""
    everything: dict[str, Document | Refusal] = {document.id: document for document in ingested.accepted}
    everything |= {refusal.id: refusal for refusal in ingested.refused}
    offered: list[Document | Refusal] = []
    weight = 0
    for one in everything.values():
        offered.append(one)
        weight += _weight(one)
        if weight >= _ROWS:
            yield _portion(offered)
            offered, weight = [], 0
    if offered:
        yield _portion(offered)


def _weight(one: Document | Refusal) -> int:
    return 1 if isinstance(one, Refusal) else 1 + len(one.eval_items) + len(one.body) // _CHARACTERS_A_ROW


def _portion(offered: list[Document | Refusal]) -> Ingested:
    return Ingested(
        accepted=tuple(one for one in offered if isinstance(one, Document)),
        refused=tuple(one for one in offered if isinstance(one, Refusal)),
        duplicates=0,
    )
