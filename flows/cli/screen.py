"""What the command line prints: tables for people, JSON for machines, one progress line for long work."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.progress import watched_by

Cell = str | int | float | None


def console() -> Console:
    """Standard output, as wide as the terminal; 120 columns where there is none, so that logs keep whole lines."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=max(120, out.width))


def say(*sentences: str) -> None:
    """Prints sentences as they are, one a line."""
    for sentence in sentences:
        console().print(sentence, markup=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Prints a table; None is an empty cell."""
    view = Table(title=title, title_justify="left", header_style="bold", title_style="bold")
    for column in columns:
        view.add_column(column, overflow="fold")
    for row in rows:
        view.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(view, markup=False)


def as_json(value: object) -> None:
    """Prints `value` (nouns, sequences, mappings) as one JSON document."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: object) -> object:
    """A noun as JSON knows it: fields by name, times in ISO 8601, paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value


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
    """Shows the stage under way as a bar on standard error, where that is a terminal and nobody asked for quiet."""
    # Imported here: only long work needs it, and `--help` must be quick.
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet or not Console(stderr=True).is_terminal,
    )
    known: dict[str, TaskID] = {}

    def watch(stage: str, done: int, total: int) -> None:
        if stage not in known:
            known[stage] = bars.add_task(stage, total=total)
        bars.update(known[stage], completed=done, total=total)

    with bars, watched_by(watch):
        yield
