"""Long stories of releases by the machine of `tests/faults/lifecycle_machine.py`, on SQLite: more than a test can run.

They are told in chunks, each by a seed of its own; `--keep` names a folder from which a campaign goes on.
"""

import argparse
import json
import os
import shutil
import sqlite3
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.faults import fleet
from benchmarks.faults.facts import Row, read_tables
from benchmarks.figures import Measured, violations, write_results
from benchmarks.in_memory import in_memory
from pipeline.files import write_text
from registry import create_ledger
from tests.faults.lifecycle_machine import LifecycleMachine, Store
from tests.ledgers import with_base_release

CHUNK = 250
Fresh = Callable[[], Store]


@dataclass(frozen=True)
class Told:
    """A chunk of stories: its seed, how many were told, their steps, and how one broke an invariant ("": none did).

    Those of a chunk that broke count what was told to find the shortest story that breaks, too.
    """

    seed: int
    stories: int
    steps: int
    broken: str


def run(fresh: Fresh, *, examples: int, steps: int, seed: int | None = None, machine: type = LifecycleMachine) -> None:
    """So many stories of so many steps, each on a store of its own. Raises what the first that breaks raises."""
    played = type("Machine", (machine,), {"fresh": staticmethod(fresh)})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    if seed is not None:  # then nothing else decides which stories these are
        played, chosen = hypothesis.seed(seed)(played), settings(chosen, database=None)
    run_state_machine_as_test(played, settings=chosen)


def stores_on_sqlite(folder: Path) -> Fresh:
    """Fresh ledgers as files in `folder`, of which the last one is kept."""
    template, numbers = folder / "template.db", count()
    with_base_release(create_ledger(f"sqlite:///{template}")).close()

    def fresh() -> Store:
        for old in folder.glob("ledger-*"):
            old.unlink()
        file = Path(shutil.copy(template, folder / f"ledger-{next(numbers)}.db"))
        return Store(f"sqlite:///{file}", partial(_read, file))

    return fresh


def _read(file: Path) -> dict[str, list[Row]]:
    """Nobody was killed over the file, so it need not be copied."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return read_tables(connection)


def told(seed: int, *, stories: int, steps: int, machine: type = LifecycleMachine) -> Told:
    """A chunk of stories by a seed. What breaks one is part of what is told."""
    made, taken = count(), count()

    class Counted(machine):  # type: ignore[misc]  # a class that is given
        def __init__(self) -> None:
            next(made)
            super().__init__()

        def check_invariants(self, *given: object, **named: object) -> None:
            next(taken)  # before the first step, and after each
            super().check_invariants(*given, **named)

    with in_memory("sealed-stories-") as folder:
        try:
            run(stores_on_sqlite(folder), examples=stories, steps=steps, seed=seed, machine=Counted)
            broken = ""
        except (OSError, MemoryError):
            raise  # of this machine, and no finding
        except Exception:  # noqa: BLE001 - whatever else a story raises is the finding
            broken = traceback.format_exc()[-4000:]
    begun = next(made)
    return Told(seed, begun, next(taken) - begun, broken)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sealed-stories-") as name:
        scratch = Path(name)
        kept = options.keep or scratch / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        over = time.monotonic() + 60 * options.minutes
        chunk = min(CHUNK, options.stories)
        seeds = range(options.seed, options.seed + -(-options.stories // chunk))
        files = {seed: kept / f"{chunk}x{options.steps}-{seed:06}.json" for seed in seeds}
        jobs = [partial(_keep, file, seed, chunk, options.steps, over) for seed, file in files.items()]
        fleet.run_all(jobs, scratch, workers=options.workers)
        chunks = [Told(**json.loads(file.read_text("utf-8"))) for file in files.values() if file.exists()]
    write_results("faults.stories", _figures(chunks), options.out)


def _keep(file: Path, seed: int, stories: int, steps: int, over: float) -> None:
    """Tells a chunk, unless it was told before or the time is over."""
    if file.exists() or time.monotonic() > over:
        return
    chunk = told(seed, stories=stories, steps=steps)
    write_text(file, json.dumps(asdict(chunk)))
    print(f"seed {seed}: {chunk.stories} stories, {chunk.steps} steps {chunk.broken}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four stories of twenty steps")
    parser.add_argument("--stories", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=100, help="of a story, at most")
    parser.add_argument("--minutes", type=float, default=1e6, help="after so many no further chunk is begun")
    parser.add_argument("--seed", type=int, default=1, help="of the first chunk; the others follow it")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--keep", type=Path, help="a folder of what was told, from which a run of the same code goes on"
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.stories, options.steps = 4, 20
    return options


def _figures(chunks: Sequence[Told]) -> list[Measured]:
    sound = [chunk for chunk in chunks if not chunk.broken]
    return [
        Measured(name="stories without a violation", value=sum(chunk.stories for chunk in sound), unit="stories"),
        Measured(name="steps of these stories", value=sum(chunk.steps for chunk in sound), unit="steps"),
        violations("chunks of stories", "chunks", [bool(chunk.broken) for chunk in chunks]),
    ]


if __name__ == "__main__":
    main()
