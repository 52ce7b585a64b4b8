"""The tool "geometry": grid tasks turned and mirrored, all grids of a task alike.

The seven other symmetries of the square, the augmentations of test-time training for ARC (Akyürek et al. 2024, arXiv
2411.07279), which SEAL's self-edits choose (arXiv 2506.10943, section 3.2: "basic augmentations").
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline.documents.demonstrations import Grid, grid_of, shows_grids, with_grids
from pipeline.types import Document, Example

NAME = "geometry"


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """Each example whose completion is a grid, in its seven other positions; none where the document shows no grids."""
    if not shows_grids(document.body):
        return ()
    tasks = [example for example in examples if grid_of(example.completion)]
    return tuple(_changed(task, change) for task in tasks for change in SYMMETRIES)


def _changed(task: Example, change: Callable[[Grid], Grid]) -> Example:
    return replace(task, prompt=with_grids(task.prompt, change), completion=with_grids(task.completion, change))


def _turned(grid: Grid) -> Grid:
    """A quarter turn clockwise."""
    return tuple(zip(*grid[::-1], strict=True))


def _mirrored(grid: Grid) -> Grid:
    return tuple(row[::-1] for row in grid)


SYMMETRIES: tuple[Callable[[Grid], Grid], ...] = (
    _turned,
    lambda grid: _turned(_turned(grid)),
    lambda grid: _turned(_turned(_turned(grid))),
    _mirrored,
    lambda grid: _turned(_mirrored(grid)),
    lambda grid: _turned(_turned(_mirrored(grid))),
    lambda grid: _turned(_turned(_turned(_mirrored(grid)))),
)
