"""Progress as plain lines, for pipes, logs and cron: one as a stage begins, one as it ends, one a minute between."""

import threading
import time
from collections.abc import Callable

QUIET_SECONDS = 60.0
_LEAST = 0.01  # of a stage: before that, what happens only once takes most of the time


class ProgressLines:
    """Turns what stages report into lines for `write`; `beat` is called now and then, for stages that report seldom.

    A stage begins once and ends once: one that is repeated many times in a run fills no log. `clock` counts seconds.
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock, self._lock = write, clock, threading.Lock()
        self._begun: dict[str, float] = {}
        self._marks: dict[str, tuple[float, float]] = {}  # when a line last said that more was done, and how much
        self._ended: set[str] = set()
        self._now, self._last = ("starting", 0.0, 0.0), clock()

    def watch(self, stage: str, done: float, total: float) -> None:
        """Takes a stage's report: `done` of `total`."""
        with self._lock:
            self._now = (stage, done, total)
            if stage not in self._begun:
                self._begun[stage] = self._clock()
                self._marks[stage] = self._begun[stage], 0.0
                self._say(f"{stage}: begins")
            if done >= total and stage not in self._ended:
                self._ended.add(stage)
                self._say(f"{stage}: done, {done:.0f}/{total:.0f} in {span(self._clock() - self._begun[stage])}")
        self.beat()

    def beat(self) -> None:
        """Says where the newest stage is, if nothing was said for a minute."""
        with self._lock:
            if self._clock() - self._last >= QUIET_SECONDS:
                self._say(self._where())

    def _where(self) -> str:
        stage, done, total = self._now
        if done >= total:
            return f"at work, after {stage}"
        left = self._left(stage, done, total) if stage not in self._ended and done >= _LEAST * total else ""
        if done != self._marks[stage][1]:
            self._marks[stage] = self._clock(), done
        return f"{stage}: {done:.0f}/{total:.0f}{left}"

    def _left(self, stage: str, done: float, total: float) -> str:
        """At the pace since a line last said that more was done: a first step is often slower than the others."""
        since, before = self._marks[stage]
        if done <= before:
            return ""
        return f", about {span((self._clock() - since) * (total - done) / (done - before))} left"

    def _say(self, line: str) -> None:
        self._last = self._clock()
        self._write(line)


def span(seconds: float) -> str:
    """A time as people say it: "45 s", "12 min"."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
