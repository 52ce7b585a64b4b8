"""What the command line prints: tables for people, JSON for machines, and how far long work is."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from flows.cli.progress_lines import ProgressLines
from gates.wording import in_words
from pipeline.printable import PrintableFormatter, printable, printable_json, printable_line
from pipeline.progress import Watcher, watched_by

BEAT_SECONDS = 5.0
SPEED_SECONDS = 600.0  # over which the time left is estimated: some stages report once a minute

Cell = str | int | float | None


def console() -> Console:
    """Standard output, as wide as the terminal; 120 columns where there is none, so that logs keep whole lines."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=max(120, out.width))


def say(*sentences: str) -> None:
    """Prints sentences, one a line."""
    for sentence in sentences:
        console().print(printable(sentence), markup=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Prints a sentence on standard error, under our name."""
    print(f"sealed: {printable(sentence)}", file=sys.stderr, flush=True)


def log_to_terminal(*, verbose: bool = False) -> None:
    """What is logged goes to standard error: with `verbose` from information on and with times, else only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s" if verbose else None))
    if verbose:
        logging.basicConfig(level=logging.INFO, handlers=[handler])
    elif isinstance(logging.lastResort, logging.Handler):
        logging.lastResort.setFormatter(PrintableFormatter())


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Prints a table; None is an empty cell, and a state is written in words."""
    view = Table(title=printable(title), title_justify="left", header_style="bold", title_style="bold")
    for column in columns:
        view.add_column(column, overflow="fold")
    for row in rows:
        view.add_row(*map(_written, row))
    console().print(view, markup=False)


def _written(cell: Cell) -> str:
    return "" if cell is None else in_words(cell) if isinstance(cell, StrEnum) else printable(str(cell))


def as_json(value: object) -> None:
    """Prints `value` (nouns, sequences, mappings) as one JSON document: fields by name, times in ISO 8601."""
    # Imported here: `--help` must be quick.
    from pydantic_core import to_jsonable_python

    print(printable_json(json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False)))


def points(share: float | None) -> str:
    """A share as people read it: 0.987 as "99 %"."""
    return "" if share is None else f"{100 * share:.0f} %"


def short(digest: str) -> str:
    """The first twelve digits of a digest: enough to name a thing here."""
    return digest[:12]


def when(moment: datetime | None) -> str:
    """A time in the reader's own zone, to the minute."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


@contextmanager
def progress_shown(quiet: bool = False) -> Iterator[None]:
    """Shows the stages under way on standard error: bars on a terminal, lines elsewhere, nothing where `quiet`."""
    if quiet:
        yield
    elif Console(stderr=True).is_terminal:
        with _bars() as watch, watched_by(watch):
            yield
    else:
        lines = ProgressLines(lambda line: print(printable_line(line), file=sys.stderr, flush=True))
        with _beating(lines.beat), watched_by(lines.watch):
            yield


@contextmanager
def _bars() -> Iterator[Watcher]:
    # Imported here: only long work needs it, and `--help` must be quick.
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    known: dict[str, TaskID] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=SPEED_SECONDS,
    ) as bars:

        def watch(stage: str, done: float, total: float) -> None:
            if stage not in known:
                known[stage] = bars.add_task(printable_line(stage), total=total)
            bars.update(known[stage], completed=done, total=total)

        yield watch


@contextmanager
def _beating(beat: Callable[[], None]) -> Iterator[None]:
    """Calls `beat` every few seconds, also while the work itself reports nothing."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(BEAT_SECONDS):
            beat()

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
