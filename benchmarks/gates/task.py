"""What the command line asked of a part, and where its results go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Measured, write_results


@dataclass(frozen=True, kw_only=True)
class Task:
    """`seeds`: how many, from the first (None: all). `out`: the folder of the results."""

    quick: bool
    out: Path
    seeds: int | None = None

    def write(self, part: str, figures: Sequence[Measured]) -> None:
        """Prints the figures, and writes them to gates-PART.json."""
        write_results("gates", figures, self.out / f"gates-{part}.json")
