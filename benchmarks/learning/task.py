"""What the command line asked of a part, and where its results go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Measured, write_results


@dataclass(frozen=True, kw_only=True)
class Task:
    """`out` is the folder of the results; `model` and `data` are given together, or neither is.

    `arms`: those of the run that are held (none: all). `name`: that of the results (None: the part's).
    """

    quick: bool
    out: Path
    model: str | None = None
    data: Path | None = None
    count: int = 6
    arms: tuple[str, ...] = ()
    name: str | None = None

    def write(self, part: str, figures: Sequence[Measured]) -> None:
        """Prints the figures, and writes them to learning-PART.json, or to those of the task's name."""
        write_results("learning", figures, self.out / f"learning-{self.name or part}.json")

    def plot(self, part: str) -> Path:
        """Where the part's plot goes."""
        return self.out / f"learning-{self.name or part}.png"
