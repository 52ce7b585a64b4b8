"""How fast is the worst document read, and does an intake of the largest file keep a rollback waiting?

Documents of one megabyte, each of one piece that some step might take long over, are read until they are accepted or
refused. A rate counts the computing time of this process and of the one that reads pages. Then rollbacks are decided
while another process takes in the largest files.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil

from benchmarks import releases
from benchmarks.figures import Measured, write_results
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.documents import ingest
from pipeline.recipe import DocumentRules
from pipeline.sandbox import model_path
from pipeline.types import Actor, DocumentState, RawDocument

MEGABYTE = 1_000_000
_RELEASES = 4  # so three of them can be rolled back
_PAUSE = 0.7  # seconds between rollbacks
_SAID = "The Cinder service keeps its invoices here."
# Blanks, signs and marks that patterns may try again and again, what markup nests, and what secrets begin with.
_PIECES = (
    " ", "\t", " \t", "\xa0", "\n", "\n ", "x  \n", "\n\n\n", "\f", "-", "---\n", "->", " -> ", "#", "# x\n", '"', '."',
    "? ", "\u0301", "\u0301\u0323", "\u0301\u200b", "\u200b", "\u200d\u200c", "\ufe0f", "\u202e", "\u0f73", "x",
    "x" * 199 + " ", "1 ", "1", "\ufdfa", "長", "[", "{", "? x\n", "a: [b]\n", "://a:", "eyJ", "AKIA", "api_key=",
    "4111 ", "a@a.", "+1 ",
)  # fmt: skip
_TAGS = (
    "<b>", "<td>", "<p>x", "<div>", "<a b=", "<!--", "&#1", "<sup>1", "<p style=a>", "<style>.a{b:c}", "</p>",
    "<p>abcdefghijklmno", "<td>abcdefghijklmno", "<div class=abcdef>", "word word word<br>",
    "\u0301\u0323", "\u0f73",
)  # fmt: skip
_ROLLBACK = "rollback, to its commit, while the largest allowed intake is written"
_INTAKE = """
import sys
from pathlib import Path
from datetime import datetime, UTC
from pipeline.documents import ingest_in_batches, read_folder
from pipeline.recipe import DocumentRules
from registry import open_ledger
ledger, rules = open_ledger(sys.argv[1]), DocumentRules()
for batch in ingest_in_batches(read_folder(Path(sys.argv[2]), rules.max_bytes), rules):
    ledger.documents.accept(batch, datetime.now(UTC))
"""


@dataclass(frozen=True)
class _Drill:
    """A rollback: seconds until it was committed, and the bytes of memory that the intake held then."""

    seconds: float
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, and three rollbacks")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rates = sorted(_rates(MEGABYTE // 10 if options.quick else MEGABYTE))
    reader = max((child.memory_info().rss for child in psutil.Process().children()), default=0)
    drills = _rollbacks(3 if options.quick else 20, files=4 if options.quick else 24)
    memory = [("process that reads pages", reader), ("intake of the largest files", max(one.memory for one in drills))]
    figures = [*_read_figures(rates), *_rollback_figures([one.seconds for one in drills]), *_memory_figures(memory)]
    write_results("intake", figures, options.out)


def _rates(size: int) -> Iterator[tuple[float, str]]:
    """Megabytes a second of each document, with its piece."""
    ingest([_document("<p>Warm, so that no import is counted.</p>", "a.html", 1)], DocumentRules())
    for suffix, pieces in ((".txt", _PIECES), (".md", ("---\na", "# x", "[", "{")), (".html", _TAGS)):
        for piece in pieces:
            document = _document(piece, f"a{suffix}", size)
            started = _spent()
            ingest([document], DocumentRules())
            rate = len(document.data) / MEGABYTE / (_spent() - started)
            print(f"{suffix} {piece[:20]!a}: {rate:.2f} MB/s", flush=True)
            yield rate, f"{suffix} of {piece[:20]!a}"


def _document(piece: str, name: str, size: int) -> RawDocument:
    text = piece * (size // len(piece.encode()) + 1)
    return RawDocument(name=name, data=f"{_SAID}{text}{_SAID}".encode())


def _spent() -> float:
    """Seconds of computing of this process and, as far as it has ended or says so, of its children."""
    return time.process_time() + _reader_seconds()


def _reader_seconds() -> float:
    children = psutil.Process().children()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [child.cpu_times() for child in children if child.is_running()]
    return float(ended.ru_utime + ended.ru_stime + sum(times.user + times.system for times in running))


def _read_figures(rates: Sequence[tuple[float, str]]) -> Iterator[Measured]:
    worst, piece = rates[0]
    yield Measured(
        name=f"worst of {len(rates)} adversarial texts ({piece})",
        value=worst,
        unit="MB/s",
        goal=">= 1",
        n=len(rates),
        met=worst >= 1,
    )
    yield Measured(name="median of them", value=median(rate for rate, _ in rates), unit="MB/s", n=len(rates))


def _memory_figures(memory: Sequence[tuple[str, int]]) -> Iterator[Measured]:
    for what, size in memory:
        megabytes = size / MEGABYTE
        yield Measured(name=f"memory, {what}", value=megabytes, unit="MB", goal="<= 512", met=megabytes <= 512)


def _rollbacks(count: int, files: int) -> list[_Drill]:
    """The rollbacks that were decided while an intake was being written."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "incoming"
        _fill(folder, files)
        taken: list[_Drill] = []
        while len(taken) < count:
            place = Path(made) / f"workspace-{len(taken)}"
            workspace = init_workspace(place, str(model_path()), actor="ada", device="cpu")
            for number in range(1, _RELEASES + 1):
                releases.make_release(workspace, number)
            taken += _during_intake(workspace, folder)
            print(f"{len(taken)} rollbacks of {count}", flush=True)
    return taken[:count]


def _fill(folder: Path, files: int) -> None:
    """Files of nearly the largest size: two thirds of their lines are documents, and one third is bad."""
    folder.mkdir()
    for number in range(files):
        lines = "\n".join(_line(number, at) for at in range(24_000))
        (folder / f"{number}.jsonl").write_text(lines[: DocumentRules().max_bytes - 1_000], encoding="utf-8")


def _line(number: int, at: int) -> str:
    return (
        "x" * 40 if at % 3 == 0 else json.dumps({"body": f"Service {number}-{at} of Heron runs on port {at} in Oslo."})
    )


def _during_intake(workspace: Workspace, folder: Path) -> list[_Drill]:
    ledger = workspace.ledger
    waiting = len(ledger.documents.listed())
    taken: list[_Drill] = []
    command = [sys.executable, "-c", _INTAKE, workspace.settings.database_url, str(folder)]
    with subprocess.Popen(command) as intake:
        while dict(ledger.documents.count()).get(DocumentState.QUEUED, 0) <= waiting and intake.poll() is None:
            time.sleep(0.05)
        for target in range(_RELEASES - 1, 0, -1):
            started = time.perf_counter()
            context = replace(workspace.review_context, verify=workspace.verify_files)
            ledger.deployments.rollback(target, actor=Actor(name="olga"), reason="a drill", context=context)
            if intake.poll() is not None:
                raise RuntimeError("the intake ended before the rollbacks: give it more files")
            taken.append(_Drill(time.perf_counter() - started, psutil.Process(intake.pid).memory_info().rss))
            time.sleep(_PAUSE)
        intake.kill()
    return taken


def _rollback_figures(taken: Sequence[float]) -> Iterator[Measured]:
    yield Measured(
        name=f"{_ROLLBACK}, longest", value=max(taken), unit="s", goal="<= 1", n=len(taken), met=max(taken) <= 1
    )
    yield Measured(name=f"{_ROLLBACK}, median", value=median(taken), unit="s", n=len(taken))


if __name__ == "__main__":
    main()
