"""Records how long each stage of a night took, in the ledger, also when the stage is resumed after a kill."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.run_context import Shift
from pipeline.types import Night
from registry.store import runs


@contextmanager
def timed(shift: Shift, night: Night, stage: str) -> Iterator[None]:
    """Adds the seconds of this block to the night's `stage`."""
    started = time.monotonic()
    yield
    runs.add_seconds(shift.house.store, shift.lease, night.number, stage, time.monotonic() - started)
