"""Fault injection: kills, lost replies, full disks and torn files at every effect of a release's story.

Every point and occurrence is killed once; then all pairs of a kill and a kill in its recovery; random schedules; and
planted bugs, of which each must be caught. A schedule is printed as `python -m benchmarks.faults --replay` takes it.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.faults import fleet, schedules, shared, world
from benchmarks.faults.bugs import BUGS, Bug
from benchmarks.faults.scenarios import SCENARIOS
from benchmarks.faults.schedules import Ending, Schedule, Stage
from benchmarks.faults.shared import Recoveries
from benchmarks.figures import Measured, violations, write_results
from benchmarks.in_memory import in_memory
from pipeline.digests import digest_of
from pipeline.engines.base import load_base
from pipeline.files import write_text
from pipeline.sandbox import model_path

UNBROKEN = Schedule(("",))
Kept = dict[str, Any]
Several = Callable[[], list[Ending]]


@dataclass(frozen=True)
class Part:
    """A part of the examination: how many schedules it ran, and what each violated."""

    name: str
    violations: dict[str, list[str]]

    @property
    def figure(self) -> Measured:
        return violations(self.name, "schedules", [bool(found) for found in self.violations.values()])


@dataclass(frozen=True)
class _Limits:
    """How many processes run a part, for how long it begins new ones, and how many second kills follow each first."""

    workers: int
    minutes: float = 1e6
    pairs: int = 0


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    base = load_base(str(model_path()), device="cpu")
    with in_memory("sealed-faults-") as scratch:
        fleet.forked(partial(world.make_template, scratch / "template", base), scratch)
        world.warm_up(scratch / "template", scratch / "warm", base)
        stage = Stage(scratch / "template", scratch, base)
        unbroken = schedules.run(stage, UNBROKEN)
        if unbroken.violations:
            sys.exit(f"an unbroken run violates: {unbroken.violations}")
        stage = replace(stage, expected=unbroken.state)
        if options.replay:
            sys.exit(_replay(stage, options.replay))
        figures = _examined(stage, unbroken.passed[0], options)
        if not options.schedules:
            figures += _judged(stage, options)
    write_results("faults.schedules" if options.schedules else "faults", figures, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the kills, few others, a fifth of the bugs")
    parser.add_argument("--pairs", type=int, default=1000, help="second kills for each first; all there are if fewer")
    parser.add_argument("--random", type=int, default=1000, help="random schedules")
    parser.add_argument("--minutes", type=float, default=1e6, help="after so many, nothing more of a part is begun")
    parser.add_argument("--seed", type=int, default=1, help="of the random schedules, and of the order of the kills")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--schedules", action="store_true", help="no scenarios and no planted bugs")
    parser.add_argument("--keep", type=Path, help="a folder of endings, from which a run of the same code goes on")
    parser.add_argument("--replay", help="a schedule as it was printed: run it alone")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.random = 1, 5
    return options


def _replay(stage: Stage, text: str) -> int:
    ending = schedules.run(stage, schedules.read(text))
    print(
        f"{ending.schedule}: processes ended as {ending.statuses}", *ending.violations or ["no violation"], sep="\n  "
    )
    return 1 if ending.violations else 0


def _examined(stage: Stage, passed: Sequence[str], options: argparse.Namespace) -> list[Measured]:
    kept = options.keep or stage.scratch / "kept"
    known = Recoveries(kept / "recoveries")
    firsts = schedules.kills(passed)[:: 10 if options.quick else 1]
    random.Random(options.seed).shuffle(firsts)
    singly = [(str(one), partial(_alone, stage, one, known)) for one in firsts]
    once = _Limits(options.workers, options.minutes)
    kills = _run("every point and occurrence killed once", singly, kept, stage, once)
    changing = [one for one in firsts if schedules.changes(str(one).partition(":")[0])]
    twice = [(str(one), partial(shared.killed_twice, stage, one, known, options.pairs)) for one in changing]
    ended = _run(
        "a kill, and a kill in its recovery",
        twice,
        kept,
        stage,
        _Limits(options.workers, options.minutes, options.pairs),
    )
    drawn = schedules.at_random(passed, options.seed, options.random)
    alone = [(str(one), partial(_alone, stage, one, known)) for one in drawn]
    at_random = _run("random schedules", alone, kept, stage, _Limits(options.workers, options.minutes, options.pairs))
    pairs = [one for several in ended for one in several[1:]]
    parts = (
        _part("every point and occurrence killed once", [one for several in kills for one in several]),
        _part("a kill, and a kill in its recovery", pairs),
        _copies(stage, changing, options.workers),
        _part(f"random schedules, seed {options.seed}", [one for several in at_random for one in several]),
    )
    counted = (
        Measured(name="fault points that a run passes", value=len(set(passed)), unit="points"),
        Measured(name="kills that there are", value=len(firsts), unit="kills"),
        Measured(name="kills whose recovery was killed too", value=len(ended), unit="kills", n=len(changing)),
        Measured(
            name="pairs that left a workspace like no other",
            value=sum(not one["alike"] for one in pairs),
            unit="pairs",
            n=len(pairs),
        ),
    )
    return [*counted, *(part.figure for part in parts)]


def _judged(stage: Stage, options: argparse.Namespace) -> list[Measured]:
    """The harness itself: what people and attackers do, and whether it catches the planted bugs."""
    part, states = _scenarios(stage, options)
    return [part.figure, _caught(stage, states, options)]


def _alone(stage: Stage, schedule: Schedule, known: Recoveries) -> list[Ending]:
    return [shared.run(stage, schedule, known)]


def _part(name: str, endings: Sequence[Kept]) -> Part:
    return Part(name, {ending["schedule"]: ending["violations"] for ending in endings})


def _copies(stage: Stage, kills: Sequence[Schedule], workers: int) -> Part:
    """Whether the copies that stand for kills are what kills leave."""
    print(f"copies that stand for kills: {len(kills)}", flush=True)
    jobs = [partial(shared.unlike_a_kill, stage, kills[place::workers]) for place in range(workers)]
    unlike = {one for found in fleet.run_all(jobs, stage.scratch, workers=workers) for one in found}
    return Part(
        "copies that stand for kills",
        {str(one): ["the copy is not what the kill leaves"] if str(one) in unlike else [] for one in kills},
    )


def _run(
    name: str,
    planned: Sequence[tuple[str, Several]],
    kept: Path,
    stage: Stage,
    limits: _Limits,
) -> list[list[Kept]]:
    """The endings of what was planned, as they are kept; of what was begun before the time was over."""
    print(f"{name}: {len(planned)}", flush=True)
    over = time.monotonic() + 60 * limits.minutes
    jobs = [
        partial(_kept, kept / f"{digest_of(name, schedule, stage.expected, limits.pairs)}.json", job, over)
        for schedule, job in planned
    ]
    return [one for one in fleet.run_all(jobs, stage.scratch, workers=limits.workers) if one]


def _kept(file: Path, job: Several, over: float) -> list[Kept]:
    """The endings that were kept, else new ones, else none: the time is over. Who changes the code keeps none."""
    if file.exists():
        found: list[Kept] = json.loads(file.read_text("utf-8"))
        return found
    if time.monotonic() > over:
        return []
    endings = [_as_kept(ending) for ending in job()]
    write_text(file, json.dumps(endings))
    return endings


def _ended(stage: Stage, schedule: Schedule) -> Kept:
    return _as_kept(schedules.run(stage, schedule))


def _as_kept(ending: Ending) -> Kept:
    for words in ending.violations:
        print(f"VIOLATION {words}\n  --replay '{ending.schedule}'", flush=True)
    return asdict(ending) | {"schedule": str(ending.schedule)}


def _scenarios(stage: Stage, options: argparse.Namespace) -> tuple[Part, dict[str, str]]:
    """The scenarios on the sound product, and the state that each ends in."""
    stages = [replace(stage, story=story, once=story is not world.go_on, expected="") for story in SCENARIOS.values()]
    jobs = [partial(_ended, each, UNBROKEN) for each in stages]
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
        spoiled = replace(
            stage,
            story=story,
            once=story is not world.go_on,
            spoil=bug.spoil,
            expected=states.get(name, stage.expected),
        )
        found = schedules.run(spoiled, schedule).violations
        if found:
            print(f"{bug.name}: {name}: {found[0][:150]}", flush=True)
            return found[0]
    shutil.rmtree(stage.scratch / f"schedule-{os.getpid()}", ignore_errors=True)
    return ""


if __name__ == "__main__":
    main()
