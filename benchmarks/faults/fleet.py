"""Runs schedules in several processes at once, each in a copy of the workspace."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from benchmarks.faults.schedules import Ending, Schedule, Stage, run

T = TypeVar("T")


def run_all(stage: Stage, schedules: Sequence[Schedule], *, workers: int = 2) -> list[Ending]:
    """The endings of the schedules, in their order. What is wrong is printed as it is found, with its replay."""
    children = [_fork(stage, schedules[place::workers], place) for place in range(workers)]
    for child, _ in children:
        os.waitpid(child, 0)
    ended: dict[int, Ending] = {}
    for place, (_, file) in enumerate(children):
        for number, line in enumerate(file.read_text("utf-8").splitlines()):
            said = json.loads(line)
            schedule = schedules[place + number * workers]
            ended[place + number * workers] = Ending(**said | {"schedule": schedule})
    if len(ended) != len(schedules):
        raise RuntimeError(f"{len(schedules) - len(ended)} schedules were not run to their end")
    return [ended[number] for number in sorted(ended)]


def _fork(stage: Stage, schedules: Sequence[Schedule], place: int) -> tuple[int, Path]:
    file = stage.scratch / f"endings-{place}.jsonl"
    file.write_text("", "utf-8")
    child = os.fork()
    if child == 0:
        try:
            with file.open("a", encoding="utf-8") as out:
                for schedule in schedules:
                    ending = run(stage, schedule)
                    out.write(json.dumps(asdict(ending)) + "\n")
                    out.flush()
                    for words in ending.violations:
                        print(f"VIOLATION {words}\n  replay: --replay '{schedule}'", flush=True)
        finally:
            os._exit(0)
    return child, file


def forked(work: Callable[[], None]) -> None:
    """Does `work` in a process of its own. Raises RuntimeError where that fails."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError("the workspace to start from could not be made")
