"""An intake of any size is written in short turns: others decide meanwhile, and a kill between two costs nothing."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.documents import ingest
from pipeline.recipe import DocumentRules
from pipeline.types import Document, DocumentState, Ingested, RawDocument, Refusal
from registry.store import Store, documents, open_store, releases
from tests.ledgers import Ledger, intake

QUARANTINED, DISCARDED = DocumentState.QUARANTINED, DocumentState.DISCARDED
OFFERED = 8_000
ACCEPT = """
import sys
from pipeline.types import Document, Ingested
from registry.store import documents, open_store
offered = tuple(Document(title=f"{n}", body=f"Service {n} is owned by Heron.", name=f"{n}.md") for n in range(8_000))
print("begins", flush=True)
documents.accept(open_store(sys.argv[1]), Ingested(accepted=offered, refused=(), duplicates=0))
"""


def offered(count: int) -> Ingested:
    """Half of it documents, as the script above makes them, and half refusals."""
    made = tuple(Document(title=f"{n}", body=f"Service {n} is owned by Heron.", name=f"{n}.md") for n in range(count))
    bad = tuple(Refusal(name=f"bad-{n}.md", reason="not UTF-8") for n in range(count))
    return Ingested(accepted=made, refused=bad, duplicates=0)


def counted(store: Store) -> dict[DocumentState, int]:
    return dict(documents.count(store))


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_rollback_does_not_wait_for_an_intake(ledger: Ledger, url: str) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    store = open_store(url)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(documents.accept, store, offered(OFFERED))
        wait_until(lambda: DocumentState.QUEUED in counted(ledger.store))
        started = time.monotonic()
        ledger.rollback()
        took = time.monotonic() - started
        assert not running.done()
        assert (running.result().queued, running.result().refused) == (OFFERED, OFFERED)
    store.close()
    assert releases.production(ledger.store).number == 1
    assert took < 2.0


def test_a_killed_intake_that_is_begun_again_ends_as_one_that_was_not(url: str, store: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", ACCEPT, url], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: bool(counted(store)))
    child.kill()
    child.communicate()
    before = counted(store)[DocumentState.QUEUED]
    assert 0 < before < OFFERED
    whole = replace(offered(OFFERED), refused=())
    assert documents.accept(store, whole).queued == OFFERED - before
    assert {one.id for one in documents.listed(store)} == {one.id for one in whole.accepted}
    assert counted(store) == {DocumentState.QUEUED: OFFERED}
    assert documents.accept(store, whole).duplicates == OFFERED


def read(*lines: str) -> Ingested:
    return ingest([RawDocument(name="run.jsonl", data="\n".join(lines).encode())], DocumentRules())


def test_a_file_of_bad_lines_is_one_row_that_is_closed_once_it_is_updated(ledger: Ledger) -> None:
    good = '{"title": "Cinder", "body": "The Cinder service is owned by Heron."}'
    documents.accept(ledger.store, read(good, *["x"] * 5_000))
    (row,) = documents.listed(ledger.store, QUARANTINED)
    assert (row.name, row.reason.partition(":")[0]) == (
        "run.jsonl",
        "5,000 of its 5,001 documents are refused",
    )
    documents.accept(ledger.store, read(good, "x"))
    (left,) = documents.listed(ledger.store, QUARANTINED)
    assert left.reason.startswith("1 of its 2 documents are refused: run.jsonl:2: broken JSON line")
    assert documents.get(ledger.store, row.id).reason.endswith("; the file was changed since")
    documents.accept(ledger.store, read(good))
    assert counted(ledger.store) == {DocumentState.QUEUED: 1, DISCARDED: 2}
    documents.accept(ledger.store, read(good, "x"))
    assert [one.id for one in documents.listed(ledger.store, QUARANTINED)] == [left.id]


def test_a_file_that_gives_what_is_known_is_mended_too(ledger: Ledger) -> None:
    bad = Refusal(name="copy.md", reason="not UTF-8")
    documents.accept(ledger.store, replace(intake("atlas"), refused=(bad,), files=("atlas.md", "copy.md")))
    assert documents.get(ledger.store, bad.id).state is QUARANTINED
    documents.accept(ledger.store, replace(intake("atlas"), duplicates=1, files=("atlas.md", "copy.md")))
    assert documents.get(ledger.store, bad.id).state is DISCARDED
