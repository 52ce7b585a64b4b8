"""What every benchmark prints and writes: a table for people, and one JSON file with the machine it ran on."""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.files import write_text

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure. `goal` is in words; `met` is None where there is no goal; `interval` is 95 % unless its name says."""

    name: str
    value: float
    unit: str
    goal: str = ""
    n: int = 0
    interval: tuple[float, float] | None = None
    met: bool | None = None


def violations(name: str, unit: str, found: Sequence[bool]) -> Measured:
    """How many of what was tried violated something, where none may. Of nothing that was tried nothing is said."""
    broken = sum(found)
    met = not broken if found else None
    return Measured(name=f"{name}: with a violation", value=broken, unit=unit, goal="= 0", n=len(found), met=met)


def write_results(name: str, figures: Sequence[Measured], out: Path | None) -> None:
    """Prints the figures and writes them to `out` (default: benchmarks/results/NAME.json, with dashes for dots)."""
    from rich.console import Console
    from rich.table import Table

    view = Table("figure", "value", "unit", "n", "interval", "goal", "met")
    for figure in figures:
        interval = "" if figure.interval is None else "{:.3g} .. {:.3g}".format(*figure.interval)
        met = {True: "yes", False: "NO", None: ""}[figure.met]
        view.add_row(figure.name, f"{figure.value:.4g}", figure.unit, str(figure.n or ""), interval, figure.goal, met)
    Console(width=140).print(view)
    path = out or RESULTS / f"{name.replace('.', '-')}.json"
    document = {
        "command": _command(name, sys.argv[1:]),
        "revision": REVISION,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "figures": [asdict(figure) for figure in figures],
    }
    write_text(path, json.dumps(document, indent=2) + "\n")
    print(f"written to {path}")


def _command(name: str, arguments: Sequence[str]) -> str:
    """As it is typed, but for the folders of its files and where its results went."""
    kept = [word for at, word in enumerate(arguments) if "--out" not in (word, arguments[at - 1] if at else "")]
    return shlex.join(["python", "-m", f"benchmarks.{name}", *(Path(word).name for word in kept)])


def _revision() -> str:
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    )
    return run.stdout.strip() or "unknown"


REVISION = _revision()  # of the code that is run, which may be changed before it ends
