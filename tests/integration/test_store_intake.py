"""An intake of any size is written in short turns: others decide meanwhile, and a kill between two costs nothing."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import registry
from pipeline.documents import ingest
from pipeline.recipe import DocumentRules
from pipeline.types import Document, DocumentState, Ingested, RawDocument, Refusal
from registry import open_ledger
from tests.ledgers import Ledger, intake

QUARANTINED, DISCARDED = DocumentState.QUARANTINED, DocumentState.DISCARDED
OFFERED = 8_000
ACCEPT = """
import sys
from pipeline.types import Document, Ingested
from registry import open_ledger
offered = tuple(Document(title=f"{n}", body=f"Service {n} is owned by Heron.", name=f"{n}.md") for n in range(8_000))
print("begins", flush=True)
open_ledger(sys.argv[1]).documents.accept(Ingested(accepted=offered, refused=(), duplicates=0))
"""


def offered(count: int) -> Ingested:
    """Half of it documents, as the script above makes them, and half refusals."""
    made = tuple(Document(title=f"{n}", body=f"Service {n} is owned by Heron.", name=f"{n}.md") for n in range(count))
    bad = tuple(Refusal(name=f"bad-{n}.md", reason="not UTF-8") for n in range(count))
    return Ingested(accepted=made, refused=bad, duplicates=0)


def counted(ledger: registry.Ledger) -> dict[DocumentState, int]:
    return dict(ledger.documents.count())


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_rollback_does_not_wait_for_an_intake(ledger: Ledger, url: str) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    other = open_ledger(url)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(other.documents.accept, offered(OFFERED))
        wait_until(lambda: DocumentState.QUEUED in counted(ledger))
        started = time.monotonic()
        ledger.rollback()
        took = time.monotonic() - started
        assert not running.done()
        assert (running.result().queued, running.result().refused) == (OFFERED, OFFERED)
    other.close()
    assert ledger.releases.production().number == 1
    assert took < 2.0


def test_a_killed_intake_that_is_begun_again_ends_as_one_that_was_not(url: str, empty_ledger: registry.Ledger) -> None:
    child = subprocess.Popen([sys.executable, "-c", ACCEPT, url], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: bool(counted(empty_ledger)))
    child.kill()
    child.communicate()
    before = counted(empty_ledger)[DocumentState.QUEUED]
    assert 0 < before < OFFERED
    whole = replace(offered(OFFERED), refused=())
    assert empty_ledger.documents.accept(whole).queued == OFFERED - before
    assert {one.id for one in empty_ledger.documents.listed()} == {one.id for one in whole.accepted}
    assert counted(empty_ledger) == {DocumentState.QUEUED: OFFERED}
    assert empty_ledger.documents.accept(whole).duplicates == OFFERED


def read(*lines: str) -> Ingested:
    return ingest([RawDocument(name="run.jsonl", data="\n".join(lines).encode())], DocumentRules())


def test_a_file_of_bad_lines_is_one_row_that_is_closed_once_it_is_updated(ledger: Ledger) -> None:
    good = '{"title": "Cinder", "body": "The Cinder service is owned by Heron."}'
    ledger.documents.accept(read(good, *["x"] * 5_000))
    (row,) = ledger.documents.listed(QUARANTINED)
    assert (row.name, row.reason.partition(":")[0]) == (
        "run.jsonl",
        "5,000 of its 5,001 documents are refused",
    )
    ledger.documents.accept(read(good, "x"))
    (left,) = ledger.documents.listed(QUARANTINED)
    assert left.reason.startswith("1 of its 2 documents are refused: run.jsonl:2: broken JSON line")
    assert ledger.documents.get(row.id).reason.endswith("; the file was changed since")
    ledger.documents.accept(read(good))
    assert counted(ledger) == {DocumentState.QUEUED: 1, DISCARDED: 2}
    ledger.documents.accept(read(good, "x"))
    assert [one.id for one in ledger.documents.listed(QUARANTINED)] == [left.id]


def test_a_file_that_gives_what_is_known_is_mended_too(ledger: Ledger) -> None:
    bad = Refusal(name="copy.md", reason="not UTF-8")
    ledger.documents.accept(replace(intake("atlas"), refused=(bad,), files=("atlas.md", "copy.md")))
    assert ledger.documents.get(bad.id).state is QUARANTINED
    ledger.documents.accept(replace(intake("atlas"), duplicates=1, files=("atlas.md", "copy.md")))
    assert ledger.documents.get(bad.id).state is DISCARDED
