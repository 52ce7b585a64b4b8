"""Fault injection: kills, lost replies, full disks and torn files at every effect of a release's story.

Every point and occurrence is killed once; pairs of a kill and a kill in its recovery; random schedules; and planted
bugs, of which each must be caught. A schedule is printed as `python -m benchmarks.faults --replay` takes it.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.faults import fleet, schedules, world
from benchmarks.faults.bugs import BUGS, Bug
from benchmarks.faults.scenarios import SCENARIOS
from benchmarks.faults.schedules import Schedule, Stage
from benchmarks.figures import Measured, write_results
from pipeline.digests import digest_of
from pipeline.engines.base import load_base
from pipeline.files import write_text
from pipeline.sandbox import model_path

UNBROKEN = Schedule(("",))


@dataclass(frozen=True)
class Part:
    """A part of the examination: how many schedules it ran, and what each violated."""

    name: str
    violations: dict[str, list[str]]

    @property
    def figure(self) -> Measured:
        broken = sum(bool(found) for found in self.violations.values())
        return Measured(
            name=f"{self.name}: with a violation",
            value=broken,
            unit="schedules",
            goal="= 0",
            n=len(self.violations),
            met=not broken,
        )


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    base = load_base(str(model_path()), device="cpu")
    world.warm_up(base)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="sealed-faults-", dir=shared if shared.is_dir() else None) as name:
        scratch = Path(name)
        fleet.forked(partial(world.make_template, scratch / "template", base), scratch)
        stage = Stage(scratch / "template", scratch, base)
        unbroken = schedules.run(stage, UNBROKEN)
        if unbroken.violations:
            sys.exit(f"an unbroken run violates: {unbroken.violations}")
        stage = replace(stage, expected=unbroken.state)
        if options.replay:
            sys.exit(_replay(stage, options.replay))
        figures = _examined(stage, unbroken.passed[0], options)
    write_results("faults", figures, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the kills, few others, a fifth of the bugs")
    parser.add_argument("--pairs", type=int, default=1000, help="pairs to run; all there are if fewer")
    parser.add_argument("--random", type=int, default=1000, help="random schedules")
    parser.add_argument("--seed", type=int, default=1, help="of the random schedules, and of which pairs are run")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="a folder of endings, from which a run of the same code goes on")
    parser.add_argument("--replay", help="a schedule as it was printed: run it alone")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.random = 5, 5
    return options


def _replay(stage: Stage, text: str) -> int:
    ending = schedules.run(stage, schedules.read(text))
    print(
        f"{ending.schedule}: processes ended as {ending.statuses}", *ending.violations or ["no violation"], sep="\n  "
    )
    return 1 if ending.violations else 0


def _examined(stage: Stage, passed: Sequence[str], options: argparse.Namespace) -> list[Measured]:
    every = schedules.kills(passed)
    kills, first = _run("every point and occurrence killed once", stage, every[:: 10 if options.quick else 1], options)
    seconds = [
        one
        for ending in first
        if schedules.changes(str(ending["schedule"]).partition(":")[0])
        for one in _pairs(ending)
    ]
    chosen = random.Random(options.seed).sample(seconds, min(options.pairs, len(seconds)))
    pairs, _ = _run("a kill, and a kill in its recovery", stage, chosen, options)
    drawn = schedules.at_random(passed, options.seed, options.random)
    drawn_part, _ = _run(f"random schedules, seed {options.seed}", stage, drawn, options)
    scenarios = _scenarios(stage, options)
    points = Measured(name="fault points that a run passes", value=len(set(passed)), unit="points")
    there = Measured(name="pairs that there are", value=len(seconds), unit="pairs", n=len(seconds))
    return [
        points,
        kills.figure,
        there,
        pairs.figure,
        drawn_part.figure,
        scenarios[0].figure,
        _caught(stage, scenarios[1], options),
    ]


def _pairs(ending: dict[str, Any]) -> list[Schedule]:
    return schedules.second_kills(schedules.Ending(**ending | {"schedule": schedules.read(ending["schedule"])}))


def _run(
    name: str, stage: Stage, planned: Sequence[Schedule], options: argparse.Namespace
) -> tuple[Part, list[dict[str, Any]]]:
    print(f"{name}: {len(planned)}", flush=True)
    jobs = [partial(_kept, options.keep, stage, schedule) for schedule in planned]
    endings = fleet.run_all(jobs, stage.scratch, workers=options.workers)
    return Part(name, {ending["schedule"]: ending["violations"] for ending in endings}), endings


def _kept(folder: Path | None, stage: Stage, schedule: Schedule) -> dict[str, Any]:
    """The ending that was kept of this schedule, else a new one. Who changes the code keeps none."""
    if folder is None:
        return _ended(stage, schedule)
    file = folder / f"{digest_of(str(schedule), stage.expected)}.json"
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found
    ending = _ended(stage, schedule)
    write_text(file, json.dumps(ending))
    return ending


def _ended(stage: Stage, schedule: Schedule) -> dict[str, Any]:
    ending = schedules.run(stage, schedule)
    for words in ending.violations:
        print(f"VIOLATION {words}\n  --replay '{schedule}'", flush=True)
    return asdict(ending) | {"schedule": str(schedule)}


def _scenarios(stage: Stage, options: argparse.Namespace) -> tuple[Part, dict[str, str]]:
    """The scenarios on the sound product, and the state that each ends in."""
    jobs = [partial(_ended, replace(stage, story=story, expected=""), UNBROKEN) for story in SCENARIOS.values()]
    ended = dict(zip(SCENARIOS, fleet.run_all(jobs, stage.scratch, workers=options.workers), strict=True))
    part = Part("scenarios of people and attackers", {name: ending["violations"] for name, ending in ended.items()})
    return part, {name: ending["state"] for name, ending in ended.items()}


def _caught(stage: Stage, states: dict[str, str], options: argparse.Namespace) -> Measured:
    """How many planted bugs are caught: by a violation, or by another end state than the sound product's."""
    planted = BUGS[:: 5 if options.quick else 1]
    print(f"planted bugs: {len(planted)}", flush=True)
    jobs = [partial(_catch, stage, states, bug, 1 if options.quick else len(SCENARIOS)) for bug in planted]
    by = fleet.run_all(jobs, stage.scratch, workers=options.workers)
    missed = [bug.name for bug, found in zip(planted, by, strict=True) if not found]
    print("missed:", ", ".join(missed) or "none", flush=True)
    share = 100 * (1 - len(missed) / len(planted))
    return Measured(
        name="planted bugs that are caught", value=share, unit="%", goal=">= 95", n=len(planted), met=share >= 95
    )


def _catch(stage: Stage, states: dict[str, str], bug: Bug, most: int) -> str:
    """What caught the bug, in words: "" where nothing did. The scenario that should is tried first, then the others."""
    names = [bug.shows, *(name for name in SCENARIOS if name != bug.shows)]
    for name in names[:most]:
        story, schedule = SCENARIOS.get(name, world.go_on), UNBROKEN if name in SCENARIOS else schedules.read(name)
        spoiled = replace(stage, story=story, spoil=bug.spoil, expected=states.get(name, stage.expected))
        found = schedules.run(spoiled, schedule).violations
        if found:
            print(f"{bug.name}: {name}: {found[0][:150]}", flush=True)
            return found[0]
    shutil.rmtree(stage.scratch / f"schedule-{os.getpid()}", ignore_errors=True)
    return ""


if __name__ == "__main__":
    main()
