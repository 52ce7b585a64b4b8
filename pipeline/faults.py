"""Points at which a test makes the world fail: each effect on it stands between two of them. Knows no effect itself.

Nothing happens at a point unless it is armed, by `arm` or by the environment: SEALED_FAULTS is a list of
POINT:OCCURRENCE=ACTION, as in "ledger.commit.after:2=kill, file.write.before:1=delay:0.5".
"""

import errno
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pipeline.errors import BadInput

ENVIRONMENT = "SEALED_FAULTS"
_FORM = re.compile(r"(?P<point>[\w.-]+):(?P<occurrence>[1-9]\d*)=(?P<action>[a-z-]+)(:(?P<seconds>\d+(\.\d+)?))?")
Failure = Callable[[str], Exception]


class Action(StrEnum):
    """What happens at an armed point.

    LOST_REPLY: the effect was made and its maker hears of a failure. TORN: half of what was written is there, and the
    process is killed, as when the power fails.
    """

    KILL = "kill"
    RAISE = "raise"
    DELAY = "delay"
    NO_SPACE = "no-space"
    LOST_REPLY = "lost-reply"
    TORN = "torn"


_AFTERWARDS = (Action.LOST_REPLY, Action.TORN)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens when a point is passed for the `occurrence`th time in this process."""

    point: str
    occurrence: int
    action: Action
    seconds: float = 0.0


@dataclass
class Plan:
    """The faults of this process, and the points that it has passed, in order.

    `follow` is called with each, and which time it is passed.
    """

    faults: tuple[Fault, ...]
    follow: Callable[[str, int], None] | None = None
    passed: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, name: str) -> tuple[Fault, ...]:
        """Counts that `name` was passed; the faults that are armed there now."""
        with self.lock:
            self.passed.append(name)
            self.counts[name] += 1
            count = self.counts[name]
        if self.follow is not None:
            self.follow(name, count)
        return tuple(one for one in self.faults if (one.point, one.occurrence) == (name, count))


_DISARMED = Plan(())
_armed: list[Plan] = []  # at most one; empty until the environment was read


def arm(text: str, follow: Callable[[str, int], None] | None = None) -> Plan:
    """Arms the faults that `text` lists, instead of all that were; "" only records what is passed. Raises BadInput.

    `follow` is called with each point and which time it is passed.
    """
    plan = Plan(parse(text), follow)
    _armed[:] = [plan]
    return plan


def disarm() -> None:
    """No point does anything any more."""
    _armed[:] = [_DISARMED]


def parse(text: str) -> tuple[Fault, ...]:
    """The faults that `text` lists. Raises BadInput."""
    return tuple(_fault(part.strip()) for part in text.split(",") if part.strip())


def point(name: str, *, failure: Failure = OSError, path: Path | None = None) -> None:
    """Passes a point. `failure`: makes the error that would reach us there; `path`: the effect's file or folder."""
    plan = _armed[0] if _armed else _of_environment()
    if plan is _DISARMED:
        return
    for fault in plan.due(name):
        _happen(fault, failure, path)


@contextmanager
def effect(name: str, *, failure: Failure = OSError, path: Path | None = None) -> Iterator[None]:
    """The pair of points around one effect on the world. Also a decorator of the function that has it."""
    point(f"{name}.before", failure=failure, path=path)
    yield
    point(f"{name}.after", failure=failure, path=path)


def _of_environment() -> Plan:
    text = os.environ.get(ENVIRONMENT, "")
    if text:
        return arm(text)
    disarm()
    return _DISARMED


def _fault(text: str) -> Fault:
    found = _FORM.fullmatch(text)
    if found is None or found["action"] not in set(Action):
        raise BadInput(
            f"{ENVIRONMENT}: {text!r} is no fault. Write POINT:OCCURRENCE=ACTION, the action one of "
            f"{', '.join(Action)}; `delay:0.5` says how many seconds."
        )
    action = Action(found["action"])
    if action in _AFTERWARDS and not found["point"].endswith(".after"):
        raise BadInput(f"{ENVIRONMENT}: {action} happens after an effect: name a point that ends in .after.")
    seconds = float(found["seconds"] or 0)
    return Fault(point=found["point"], occurrence=int(found["occurrence"]), action=action, seconds=seconds)


def _happen(fault: Fault, failure: Failure, path: Path | None) -> None:
    words = f"the fault {fault.action} at {fault.point} was asked for"
    if fault.action is Action.DELAY:
        time.sleep(fault.seconds)
    elif fault.action is Action.NO_SPACE and failure is OSError:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path or ""))
    elif fault.action in (Action.RAISE, Action.NO_SPACE, Action.LOST_REPLY):
        raise failure(words)
    else:
        if fault.action is Action.TORN and path is not None:
            _tear(path)
        os.kill(os.getpid(), signal.SIGKILL)


def _tear(path: Path) -> None:
    """Leaves half of a file, or of the largest file of a folder."""
    files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.is_file()]
    if files:
        torn = max(files, key=lambda file: file.stat().st_size)
        os.truncate(torn, torn.stat().st_size // 2)
