"""Reads the demonstrations of a workflow: lines "given -> made", and grids whose rows are words. Knows no document."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Grid = tuple[tuple[str, ...], ...]

_ARROW = re.compile(r"(?<=\s)(?:->|→)(?=\s)")
# A grid ends where its words do: a question mark or a full stop may follow.
_CELLS = re.compile(r"(?<!\S)\d+(?: \d+)*(?=[\s?.]|$)")


@dataclass(frozen=True)
class Demonstration:
    """An input of a workflow, and its output."""

    given: str
    made: str

    @property
    def line(self) -> str:
        return f"{self.given} -> {self.made}"


def demonstration(line: str) -> Demonstration | None:
    """The demonstration that a line holds, if any."""
    line = line.strip()
    # Stripped: so an arrow with blanks around it has text on both sides.
    arrow = _ARROW.search(line)
    return Demonstration(line[: arrow.start()].rstrip(), line[arrow.end() :].lstrip()) if arrow else None


def demonstrations(text: str) -> tuple[Demonstration, ...]:
    """The lines that are demonstrations, in order, each once."""
    found = (demonstration(line) for line in text.splitlines())
    return tuple(dict.fromkeys(one for one in found if one is not None))


def shows_grids(text: str) -> bool:
    """Whether all demonstrations are of grids, one of which has rows and columns: then no number is merely a word."""
    shown = demonstrations(text)
    grids = [grid_of(side) for one in shown for side in (one.given, one.made)]
    return bool(grids) and all(grids) and any(grid is not None and len(grid) > 1 < len(grid[0]) for grid in grids)


def grid_of(text: str) -> Grid | None:
    """The grid that a whole text is: rows of one length as words, each cell a digit; else None."""
    rows = text.split()
    if not rows or not all(row.isascii() and row.isdigit() and len(row) == len(rows[0]) for row in rows):
        return None
    return tuple(tuple(row) for row in rows)


def text_of(grid: Grid) -> str:
    """The text that `grid_of` reads."""
    return " ".join("".join(row) for row in grid)


def with_grids(text: str, change: Callable[[Grid], Grid]) -> str:
    """The text with each grid in it changed; a run of numbers that is none stays."""

    def put(found: re.Match[str]) -> str:
        grid = grid_of(found[0])
        return found[0] if grid is None else text_of(change(grid))

    return _CELLS.sub(put, text)
