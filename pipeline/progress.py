"""Progress of long work, through one context variable: who does the work reports, who wants to know watches.

Knows no terminal and no scheduler. Without a watcher every report is dropped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Report = Callable[[int, int], None]  # (done, total)
Watcher = Callable[[str, int, int], None]  # (step, done, total)

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
_title: ContextVar[str] = ContextVar("title", default="")
_report: ContextVar[Report | None] = ContextVar("report", default=None)


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
    """Names the work of this block: its reports are those of step `name`, also inside another step or part."""
    watcher, full = _watcher.get(), f"{_title.get()}{name}"
    token = _report.set(None if watcher is None else lambda done, total: watcher(full, done, total))
    try:
        yield
    finally:
        _report.reset(token)


@contextmanager
def part(before: int, share: int, total: int) -> Iterator[None]:
    """Within this block reports are of a part of the step: `share` of its `total` units, after the `before` first."""
    whole = _report.get()
    token = _report.set(None if whole is None else lambda done, of: whole(before + share * done // max(of, 1), total))
    try:
        yield
    finally:
        _report.reset(token)


@contextmanager
def quiet() -> Iterator[None]:
    """Within this block nothing is reported: its work is no unit of the step under way."""
    token = _report.set(None)
    try:
        yield
    finally:
        _report.reset(token)


def report(done: int, total: int) -> None:
    """Says that `done` of `total` units of the step under way are done."""
    if (reporter := _report.get()) is not None:
        reporter(done, total)
