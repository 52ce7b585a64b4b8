"""Progress of long work, through one context variable: who does the work reports, who wants to know watches.

Knows no terminal and no scheduler. Without a watcher every report is dropped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Report = Callable[[float, float], None]  # (done, total)
Watcher = Callable[[str, float, float], None]  # (step, done, total)

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
_title: ContextVar[str] = ContextVar("title", default="")
_report: ContextVar[Report | None] = ContextVar("report", default=None)


class _Step:
    """A step that a watcher hears of, and how far it is."""

    def __init__(self, name: str, watcher: Watcher) -> None:
        self._name, self._watcher = name, watcher
        self._done, self._total = 0.0, 1.0

    def report(self, done: float, total: float) -> None:
        self._done, self._total = done, total
        self._watcher(self._name, done, total)

    def end(self) -> None:
        if self._done < self._total:
            self.report(self._total, self._total)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Within this block, `watcher(step, done, total)` receives every report that is made within a `step`."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextmanager
def titled(title: str) -> Iterator[None]:
    """Within this block the names of steps begin with `title`: "round 2: writing"."""
    token = _title.set(f"{_title.get()}{title}: ")
    try:
        yield
    finally:
        _title.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Names the work of this block: its reports are those of step `name`, also inside another step or part.

    The watcher is told when it begins, as 0 of 1 unit, and that all of it is done when it ends without an error.
    """
    watcher = _watcher.get()
    if watcher is None:
        yield
        return
    told = _Step(f"{_title.get()}{name}", watcher)
    token = _report.set(told.report)
    try:
        told.report(0, 1)
        yield
        told.end()
    finally:
        _report.reset(token)


@contextmanager
def part(before: float, share: float, total: float) -> Iterator[None]:
    """Within this block reports are of a part of the step: `share` of its `total` units, after the `before` first.

    All of the part is done when the block ends without an error. Units may be done in part.
    """
    whole = _report.get()
    if whole is None:
        yield
        return
    token = _report.set(lambda done, of: whole(before + share * done / max(of, 1), total))
    try:
        yield
        whole(before + share, total)
    finally:
        _report.reset(token)


@contextmanager
def quiet() -> Iterator[None]:
    """Within this block nothing is reported, by steps within it neither: its work is no unit of the step under way."""
    report_token, watcher_token = _report.set(None), _watcher.set(None)
    try:
        yield
    finally:
        _watcher.reset(watcher_token)
        _report.reset(report_token)


def report(done: float, total: float) -> None:
    """Says that `done` of `total` units of the step under way are done."""
    if (reporter := _report.get()) is not None:
        reporter(done, total)
