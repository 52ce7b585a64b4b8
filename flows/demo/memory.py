"""Watches how much memory a process and its children hold, while a block runs."""

import threading
import time
from types import TracebackType

import psutil

EVERY_SECONDS = 0.5


class PeakMemory:
    """Within the block, samples the resident memory of this process and its children; then `peak_mb`, `seconds`."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self.seconds = 0.0
        self._started = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.monotonic() - self._started

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._over.is_set():
            self.peak_mb = max(self.peak_mb, sum(map(_resident, (me, *me.children(recursive=True)))) / 1e6)
            self._over.wait(EVERY_SECONDS)


def _resident(process: psutil.Process) -> int:
    """Bytes held; 0 for a child that has just ended."""
    try:
        held: int = process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return held
