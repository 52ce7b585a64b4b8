"""The tool "recolour": grid tasks in other colours, all grids of a task alike.

A cell's digit is its colour. Colours are permuted and the background (0) stays, as in test-time training for ARC
(Akyürek et al. 2024, arXiv 2411.07279; SEAL, arXiv 2506.10943, section 3.2).
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.documents.demonstrations import Grid, grid_of, shows_grids, with_grids
from pipeline.types import Document, Example

NAME = "recolour"
COLOURINGS = 2  # for each example
_COLOURS = "123456789"


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """Each example whose completion is a grid, in other colours; none where the document shows no grids."""
    if not shows_grids(document.body):
        return ()
    rng = Random(seed)
    tasks = [example for example in examples if grid_of(example.completion)]
    return tuple(_coloured(task, rng) for task in tasks for _ in range(COLOURINGS))


def _coloured(task: Example, rng: Random) -> Example:
    new = dict(zip(_COLOURS, rng.sample(_COLOURS, len(_COLOURS)), strict=True))

    def change(grid: Grid) -> Grid:
        return tuple(tuple(new.get(cell, cell) for cell in row) for row in grid)

    return replace(task, prompt=with_grids(task.prompt, change), completion=with_grids(task.completion, change))
