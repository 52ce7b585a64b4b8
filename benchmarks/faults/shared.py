"""Runs schedules that begin or go on alike together: what they share is run once, and judged once.

A kill at a point leaves the workspace as it is there. So one recovery, whose workspace is copied at every point, stands
for a kill at each of them; and workspaces that are alike (`worlds`) are recovered from once.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.faults import invariants, schedules, worlds
from benchmarks.faults.facts import Facts, of_workspace
from benchmarks.faults.schedules import Ending, Schedule, Stage
from pipeline.digests import digest_of
from pipeline.files import write_text


@dataclass(frozen=True)
class Recoveries:
    """How it went on from workspaces when nothing failed any more, in a folder; only what violated nothing is kept."""

    folder: Path

    def of(self, stage: Stage, folder: Path, before: Facts, ending: Ending) -> Ending:
        """The ending of what is in `folder`. It is run unless one like it was."""
        name = likened(stage, folder)
        if found := self.read(name):
            ending.state, ending.alike = found["state"], name
            return ending
        schedules.go_on_until_quiet(stage, folder, before, ending)
        self.keep(name, ending, ())
        return ending

    def read(self, name: str) -> dict[str, Any] | None:
        """What is kept of workspaces like `name`: their end state, and the second kills in their recovery."""
        file = self.folder / f"{name}.json"
        if not file.exists():
            return None
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found

    def keep(self, name: str, ending: Ending, seconds: Sequence[Ending]) -> None:
        """Keeps the ending of a workspace like `name`, and the endings of the second kills in its recovery."""
        if not any(one.violations for one in (ending, *seconds)):
            later = [one.schedule.processes[-1] for one in seconds]
            write_text(self.folder / f"{name}.json", json.dumps({"state": ending.state, "seconds": later}))


def likened(stage: Stage, folder: Path, more: str = "") -> str:
    """What the recovery of `folder` is kept under."""
    return digest_of(worlds.likeness(folder), stage.expected, more)


def killed_twice(stage: Stage, first: Schedule, known: Recoveries, pairs: int) -> list[Ending]:
    """How a kill ends; then, where it changes something, how so many second kills in its recovery end."""
    folder, _ = _folders(stage)
    ending = Ending(first)
    after, done = schedules.judged(stage, folder, first.processes[0], of_workspace(folder), ending)
    if done or ending.violations:
        return [schedules.concluded(stage, after, ending)]
    if not pairs or not schedules.changes(first.processes[0].partition(":")[0]):
        return [known.of(stage, folder, after, ending)]
    name = likened(stage, folder, f"twice {pairs}")
    if found := known.read(name):
        alike = [Ending(schedules.and_then(first, second), alike=name) for second in found["seconds"]]
        return [replace(one, state=found["state"], alike=name) for one in (ending, *alike)]
    seconds = _second_kills(stage, after, ending, known, pairs)
    known.keep(name, ending, seconds)
    return [ending, *seconds]


def _second_kills(stage: Stage, after: Facts, ending: Ending, known: Recoveries, pairs: int) -> list[Ending]:
    """Ends the recovery from `after`, and then the recoveries from what it was at each of its points."""
    folder, copies = _places(stage)

    def copy(name: str, count: int) -> None:
        if schedules.changes(name):
            shutil.copytree(folder, copies / f"{name}:{count}")

    recovered, done = schedules.judged(stage, folder, "", after, ending, copy)
    if done or ending.violations:
        schedules.concluded(stage, recovered, ending)
    else:
        schedules.go_on_until_quiet(stage, folder, recovered, ending)
    endings = []
    for second in schedules.second_kills(ending)[:pairs]:
        (copies / second.processes[-1].removesuffix("=kill")).replace(_emptied(folder))
        endings.append(_from_copy(stage, folder, after, second, known))
    return endings


def _from_copy(stage: Stage, folder: Path, before: Facts, schedule: Schedule, known: Recoveries) -> Ending:
    """The ending of a schedule of kills whose last process left `folder`."""
    now, ending = of_workspace(folder), Ending(schedule, statuses=[schedules.KILLED] * len(schedule.processes))
    ending.violations += invariants.violations(now, before, quiet=False)
    return ending if ending.violations else known.of(stage, folder, now, ending)


def unlike_a_kill(stage: Stage, firsts: Sequence[Schedule]) -> list[str]:
    """The kills of `firsts` that leave another workspace than the copy that stands for them, made as a run went on."""
    folder, copies = _folders(stage)

    def copy(name: str, count: int) -> None:
        if any(str(one) == f"{name}:{count}=kill" for one in firsts):
            shutil.copytree(folder, copies / f"{name}:{count}=kill")

    schedules.judged(stage, folder, "", of_workspace(folder), Ending(Schedule(("",))), copy)
    copied = {}
    for one in copies.iterdir():
        one.replace(_emptied(folder))
        copied[one.name] = worlds.likeness(folder)
    return [str(one) for one in firsts if copied.get(str(one)) != _killed(stage, one)]


def _killed(stage: Stage, first: Schedule) -> str:
    folder = schedules.copied(stage)
    schedules.judged(stage, folder, first.processes[0], of_workspace(folder), Ending(first))
    return worlds.likeness(folder)


def run(stage: Stage, schedule: Schedule, known: Recoveries) -> Ending:
    """As `schedules.run`, but for the recovery when nothing fails any more: one from a workspace like this stands."""
    folder, _ = _folders(stage)
    ending, before = Ending(schedule), of_workspace(folder)
    for armed in schedule.processes:
        before, done = schedules.judged(stage, folder, armed, before, ending)
        if done or ending.violations:
            return schedules.concluded(stage, before, ending)
    return known.of(stage, folder, before, ending)


def _places(stage: Stage) -> tuple[Path, Path]:
    folder, copies = (stage.scratch / f"{name}-{os.getpid()}" for name in ("schedule", "copies"))
    return folder, copies


def _folders(stage: Stage) -> tuple[Path, Path]:
    """A copy of the template, and an empty folder for copies of that."""
    _, copies = _places(stage)
    _emptied(copies).mkdir()
    return schedules.copied(stage), copies


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder
