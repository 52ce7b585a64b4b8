"""Carries progress from the steps to whoever watches: a bar on a terminal, nothing under a scheduler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[str, int, int], None]

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Within this block every step reports (stage, done, total) to `watcher`."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def stage(name: str) -> Callable[[int, int], None]:
    """The callback that a long piece of work named `name` calls with (done, total)."""
    watcher = _watcher.get()

    def report(done: int, total: int) -> None:
        if watcher is not None:
            watcher(name, done, total)

    return report
