"""The one thread that runs models: it writes all texts of a release together, and the releases in turn.

Knows ids and models; knows no release, no text and no event loop.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pipeline.engines.batching import RunningBatch, TokenSequence, Written
from pipeline.errors import EngineFailed

Deliver = Callable[[Written | EngineFailed], None]
PATIENCE = 4  # steps that a sequence waits at most for others to be read with it
# Seconds that all wait, after several sequences ended at once, for as many new ones: clients that ask one after another
# ask again at once, and reading their prompts together costs about what reading one does.
GATHER_SECONDS = 0.01
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    key: int
    model: Any
    sequence: TokenSequence
    deliver: Deliver


@dataclass
class _Lane:
    """The sequences of one model: those being written, and those that wait to be read."""

    batch: RunningBatch
    running: dict[int, Deliver] = field(default_factory=dict)
    waiting: deque[_Job] = field(default_factory=deque)
    waited: int = 0


def admits(waiting: int, running: int, waited: int) -> bool:
    """Whether the sequences that wait are read now. Pure.

    A small model takes as long to read one prompt as several, and meanwhile the running ones pause. So a few wait for
    others to come, at most PATIENCE steps.
    """
    return waiting > 0 and (2 * waiting >= running or waited >= PATIENCE)


class Worker:
    """Writes what is submitted, from any thread. What is delivered is delivered on the worker's own thread."""

    def __init__(self, stops: frozenset[int], *, most_rows: int = 64, most_tokens: int = 65_536) -> None:
        """`stops`: ids that end a sequence. `most_rows`: sequences of one model that are written together, and
        `most_tokens`: what they may come to, each counted as the longest of them. One alone is always written.
        """
        self._stops, self._most_rows, self._most_tokens = stops, most_rows, most_tokens
        self._lanes: dict[int, _Lane] = {}
        self._inbox: deque[_Job] = deque()
        self._cancelled: deque[int] = deque()
        self._keys = count()
        self._news = threading.Condition()
        self._closing = False
        self._expected, self._until = 0, 0.0  # how many new ones are waited for, and until when
        self._thread = threading.Thread(target=self._run, name="sealed-worker", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, model: Any, sequence: TokenSequence, deliver: Deliver) -> int:
        """Begins a sequence and returns its key. `deliver` gets each token, and an error where there will be none.

        Raises EngineFailed where the worker has ended.
        """
        job = _Job(key=next(self._keys), model=model, sequence=sequence, deliver=deliver)
        with self._news:
            if self._closing or not self.alive:
                raise EngineFailed("the server is being stopped. Ask again when it is up.")
            self._inbox.append(job)
            self._news.notify()
        return job.key

    def cancel(self, key: int) -> None:
        """Ends a sequence that nobody wants any more. Nothing is delivered for it, but what is under way."""
        with self._news:
            self._cancelled.append(key)

    def close(self) -> None:
        """Ends the thread; what is not finished gets an error."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._collect():
            for number, lane in list(self._lanes.items()):
                self._turn(lane)
                if not lane.running and not lane.waiting:
                    del self._lanes[number]
        for lane in self._lanes.values():
            _fail(lane, EngineFailed("the server was stopped. Ask again when it is up."))

    def _collect(self) -> bool:
        """Takes what came; waits while there is nothing to do. False at the end."""
        with self._news:
            self._news.wait_for(lambda: self._inbox or self._lanes or self._closing)
            self._gather()
            arrived, self._inbox = self._inbox, deque()
            cancelled, self._cancelled = self._cancelled, deque()
        for job in arrived:
            lane = self._lanes.setdefault(id(job.model), _Lane(RunningBatch(job.model, self._stops)))
            lane.waiting.append(job)
        for key in cancelled:
            self._drop(key)
        return not self._closing

    def _gather(self) -> None:
        """Waits for those that will likely ask again, with the lock held."""
        left = self._until - time.monotonic()
        if self._expected > 1 and left > 0:
            self._news.wait_for(lambda: len(self._inbox) >= self._expected or self._closing, left)
        self._expected = 0

    def _drop(self, key: int) -> None:
        for lane in self._lanes.values():
            lane.batch.cancel(key)
            lane.running.pop(key, None)
            lane.waiting = deque(job for job in lane.waiting if job.key != key)

    def _turn(self, lane: _Lane) -> None:
        """One step of a lane. Where the model fails, its sequences get the error and the others go on."""
        try:
            written = self._advance(lane)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            _LOG.exception("a model failed while it wrote %d sequences", len(lane.running) + len(lane.waiting))
            _fail(lane, EngineFailed(f"the model failed: {error}. Ask again; if it stays, see the log of the server."))
            return
        self._expected += sum(bool(one.finish) for one in written)
        self._until = time.monotonic() + GATHER_SECONDS
        for one in written:
            deliver = lane.running.get(one.key)
            if deliver is not None:
                deliver(one)
            if one.finish:
                lane.running.pop(one.key, None)

    def _advance(self, lane: _Lane) -> list[Written]:
        if not (admits(len(lane.waiting), len(lane.batch), lane.waited) and lane.batch.open):
            lane.waited += bool(lane.waiting)
            return lane.batch.step()
        jobs = self._fitting(lane)
        if not jobs:
            return lane.batch.step()
        lane.waited = 0
        lane.running |= {job.key: job.deliver for job in jobs}
        return lane.batch.join({job.key: job.sequence for job in jobs})

    def _fitting(self, lane: _Lane) -> list[_Job]:
        """Takes those that wait, in their order, as long as there is room beside the running ones."""
        rows, longest = lane.batch.size
        jobs: list[_Job] = []
        while lane.waiting and rows < self._most_rows:
            sequence = lane.waiting[0].sequence
            rows, longest = rows + 1, max(longest, len(sequence.ids) + sequence.limit)
            if rows > 1 and rows * longest > self._most_tokens:
                break
            jobs.append(lane.waiting.popleft())
        return jobs


def _fail(lane: _Lane, error: EngineFailed) -> None:
    """Delivers an error to all of a lane's sequences, and empties it."""
    delivers = [*lane.running.values(), *(job.deliver for job in lane.waiting)]
    lane.batch = RunningBatch(lane.batch.model, lane.batch.stops)
    lane.running, lane.waiting = {}, deque()
    for deliver in delivers:
        deliver(error)
