"""Records how long each stage of a run took, in the ledger, also when the stage is resumed after a kill."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.run_context import RunContext
from pipeline.types import Run


@contextmanager
def timed(context: RunContext, run: Run, stage: str) -> Iterator[None]:
    """Adds the seconds of this block to the run's `stage`."""
    started = time.monotonic()
    yield
    context.session.runs.add_seconds(run.number, stage, time.monotonic() - started)
