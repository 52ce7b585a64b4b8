"""Runs jobs in several processes at once, forked from this one, in which everything is warm."""

import json
import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Job = Callable[[], Any]


def run_all(jobs: Sequence[Job], scratch: Path, *, workers: int = 2) -> list[Any]:
    """What the jobs return, in their order, as JSON keeps it. Raises RuntimeError where one fails."""
    children = [_fork(jobs, scratch / f"results-{place}.jsonl", place, workers) for place in range(workers)]
    done: dict[int, Any] = {}
    for child, file in children:
        os.waitpid(child, 0)
        done |= dict(json.loads(line) for line in file.read_text("utf-8").splitlines())
    if len(done) != len(jobs):
        raise RuntimeError(f"{len(jobs) - len(done)} of {len(jobs)} jobs were not done to their end")
    return [done[number] for number in range(len(jobs))]


def forked(work: Callable[[], None], scratch: Path) -> None:
    """Does `work` in a process of its own. Raises RuntimeError where that fails."""
    run_all([work], scratch, workers=1)


def _fork(jobs: Sequence[Job], file: Path, place: int, workers: int) -> tuple[int, Path]:
    file.write_text("", "utf-8")
    child = os.fork()
    if child == 0:
        try:
            with file.open("a", encoding="utf-8") as out:
                for number in range(place, len(jobs), workers):
                    out.write(json.dumps([number, jobs[number]()]) + "\n")
                    out.flush()
        except BaseException:  # noqa: BLE001 - this copy of the process must not go on in the caller's code
            traceback.print_exc()
        finally:
            os._exit(0)
    return child, file
