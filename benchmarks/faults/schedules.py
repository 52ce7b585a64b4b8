"""Schedules of faults: which there are, and how one is run. Each is a text that replays it."""

import os
import random
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import invariants, world
from benchmarks.faults.facts import Facts, of_workspace
from pipeline import faults
from pipeline.engines.base import BaseModel
from pipeline.errors import SealedError
from pipeline.faults import Action

RESTARTS = 6
Follow = Callable[[str, int], None]
_REFUSED, _BROKEN, KILLED = 3, 1, -int(signal.SIGKILL)
# Between two of these nothing changes: a kill at one of them leaves what a kill at the effect before leaves.
_READS = ("mlflow.get_", "mlflow.search_", "mlflow.download", "mlflow.connect")


@dataclass(frozen=True)
class Schedule:
    """The faults of the first process, of the one that is started after it, and so on, as `faults.arm` takes them."""

    processes: tuple[str, ...]

    def __str__(self) -> str:
        return " ; ".join(self.processes)


@dataclass
class Ending:
    """How a schedule ended: the processes that it took, the points that each passed, and what was found wrong.

    `alike`: the workspace that it left, where the recovery from another one like it stands for its own.
    """

    schedule: Schedule
    statuses: list[int] = field(default_factory=list)
    passed: list[list[str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    state: str = ""
    alike: str = ""


def read(text: str) -> Schedule:
    """The schedule that prints as `text`."""
    return Schedule(tuple(part.strip() for part in text.split(";")))


@dataclass(frozen=True, eq=False)
class Stage:
    """What a schedule is run on: a `template` workspace to copy, a place for copies, and the base model in memory.

    `expected`: the end state of an unbroken run; "" before it is known. `spoil`: changes the process of each try, as a
    planted bug does. `once`: the story is not gone on with where it ended.
    """

    template: Path
    scratch: Path
    base: BaseModel
    expected: str = ""
    spoil: Callable[[], None] | None = None
    story: Callable[[Path, BaseModel], None] = world.go_on
    once: bool = False


def run(stage: Stage, schedule: Schedule) -> Ending:
    """Runs a schedule until it is quiet: a process that died or gave up is started again, until one ends well."""
    folder = copied(stage)
    ending = go_on_until_quiet(stage, folder, of_workspace(folder), Ending(schedule))
    shutil.rmtree(folder)
    return ending


def copied(stage: Stage) -> Path:
    """A fresh copy of the template, at the one place that this process has for it."""
    folder = stage.scratch / f"schedule-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(stage.template, folder, symlinks=True))


def go_on_until_quiet(stage: Stage, folder: Path, before: Facts, ending: Ending) -> Ending:
    """Starts processes in `folder`, the next of the ending's schedule first, until one ends well."""
    for number in range(len(ending.statuses), RESTARTS):
        armed = ending.schedule.processes[number] if number < len(ending.schedule.processes) else ""
        before, done = judged(stage, folder, armed, before, ending)
        if done or ending.violations or stage.once:
            break
    else:
        ending.violations.append(f"I7: it did not end well in {RESTARTS} processes")
    return concluded(stage, before, ending)


def judged(
    stage: Stage, folder: Path, armed: str, before: Facts, ending: Ending, follow: Follow | None = None
) -> tuple[Facts, bool]:
    """One more process of a schedule in `folder`, and the judge: what is there now, and whether it ended well."""
    _try(stage, folder, armed, ending, follow)
    done = ending.statuses[-1] == 0
    now = of_workspace(folder)
    ending.violations += invariants.violations(now, before, quiet=done)
    return now, done


def concluded(stage: Stage, now: Facts, ending: Ending) -> Ending:
    """The ending with the state that it was left in, which must be an unbroken run's."""
    ending.state = end_state(now)
    if stage.expected and not ending.violations and ending.state != stage.expected:
        ending.violations.append(f"I7: it ended otherwise than an unbroken run: {ending.state}")
    return ending


def end_state(facts: Facts) -> str:
    """What must be alike after every schedule: releases, documents, what was deployed, what MLflow shows."""
    releases = [(one["number"], one["state"], one["manifest"][:12]) for one in facts.tables["releases"]]
    documents = sorted((one["name"], one["state"]) for one in facts.tables["documents"])
    deployed = [one["release"] for one in facts.tables["deployments"]]
    return f"{releases} {documents} {deployed} {len(facts.versions or ())} {sorted(facts.aliases.items())}"


def _try(stage: Stage, folder: Path, armed: str, ending: Ending, follow: Follow | None) -> None:
    """One process of a schedule. `follow` is called in it after each point that it passes."""
    passed = stage.scratch / f"passed-{os.getpid()}"
    passed.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_child(stage, folder, armed, passed, follow)
    ending.statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    said = passed.read_text("utf-8").splitlines() if passed.exists() else []
    ending.passed.append([line for line in said if not line.startswith(" ")])
    if ending.statuses[-1] not in (0, _REFUSED, KILLED):
        words = " ".join(line.strip() for line in said if line.startswith(" "))
        ending.violations.append(f"I7: it ended in an error that is none of ours: {words[-300:]}")


def _in_child(stage: Stage, folder: Path, armed: str, passed: Path, follow: Follow | None) -> None:
    status, words = _BROKEN, ""
    with suppress(BaseException):  # whatever happens, this copy of the process must not go on in the caller's code
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if stage.spoil is not None:
            stage.spoil()
        plan = faults.arm(armed, follow)
        try:
            stage.story(folder, stage.base)
            status = 0
        except (SealedError, OSError) as error:
            status, words = _REFUSED, str(error)
        except BaseException:  # noqa: BLE001 - it is reported as what it is: an error that is none of ours
            words = traceback.format_exc()
        passed.write_text("\n".join([*plan.passed, *(f" {line}" for line in words.splitlines())]), "utf-8")
    os._exit(status)


def everywhere(passed: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each point that was passed, with which time it was."""
    counts: Counter[str] = Counter()
    for name in passed:
        counts[name] += 1
        yield name, counts[name]


def kills(passed: Sequence[str]) -> list[Schedule]:
    """Every point and occurrence killed once."""
    return [Schedule((f"{name}:{count}=kill",)) for name, count in everywhere(passed)]


def and_then(schedule: Schedule, armed: str) -> Schedule:
    """The schedule with one more process that fails."""
    return Schedule((*schedule.processes, armed))


def second_kills(first: Ending) -> list[Schedule]:
    """The schedule with a second kill, at each point that its recovery passed and that changes something."""
    recovery = first.passed[1] if len(first.passed) > 1 else []
    return [and_then(first.schedule, f"{name}:{count}=kill") for name, count in everywhere(recovery) if changes(name)]


def changes(name: str) -> bool:
    """Whether a kill here leaves something else than one at the point before it: after an effect, not after a read."""
    return name.endswith(".after") and not name.startswith(_READS)


def at_random(passed: Sequence[str], seed: int, count: int) -> list[Schedule]:
    """So many schedules of one to three processes that fail, each at a random point in a random way."""
    chance, places = random.Random(seed), list(everywhere(passed))
    return [Schedule(tuple(_fault(chance, places) for _ in range(chance.randint(1, 3)))) for _ in range(count)]


def _fault(chance: random.Random, places: Sequence[tuple[str, int]]) -> str:
    name, number = chance.choice(places)
    ways = [Action.KILL, Action.RAISE, Action.NO_SPACE]
    if name.endswith(".after"):
        ways += [Action.LOST_REPLY, Action.TORN] if name.startswith(("file.", "folder.")) else [Action.LOST_REPLY]
    return f"{name}:{number}={chance.choice(ways)}"
