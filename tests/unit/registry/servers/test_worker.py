"""The worker writes what is submitted, waits a little for company, and survives what fails."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.chat import encode_prompt, stop_ids
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.batching import RunningBatch, TokenSequence, Written
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import EngineFailed
from registry.servers import worker as worker_module
from registry.servers.worker import PATIENCE, Worker, admits

Delivered = Written | EngineFailed


@pytest.mark.parametrize(
    ("waiting", "running", "waited", "expected"),
    [(0, 0, 0, False), (0, 4, 99, False), (1, 0, 0, True), (1, 2, 0, True), (1, 8, 0, False), (4, 8, 0, True)],
)
def test_few_wait_for_others_while_many_are_written(waiting: int, running: int, waited: int, expected: bool) -> None:
    assert admits(waiting, running, waited) is expected


def test_nobody_waits_for_ever() -> None:
    assert admits(1, 1_000, PATIENCE)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


@pytest.fixture
def worker(base: BaseModel) -> Iterator[Worker]:
    made = Worker(frozenset(stop_ids(base.tokenizer, base.model)))
    yield made
    made.close()


def submit(worker: Worker, model: Any, ids: list[int], limit: int = 12) -> "queue.Queue[Delivered]":
    arrived: queue.Queue[Delivered] = queue.Queue()
    sequence = TokenSequence(ids=ids, limit=limit, params=SamplingParams(max_new_tokens=limit))
    worker.submit(model, sequence, arrived.put)
    return arrived


def tokens(arrived: "queue.Queue[Delivered]") -> list[int]:
    found: list[int] = []
    while True:
        one = arrived.get(timeout=30)
        if isinstance(one, EngineFailed):
            raise one
        found += [] if one.token is None else [one.token]
        if one.finish:
            return found


def test_many_threads_get_what_the_engine_says_alone(base: BaseModel, worker: Worker) -> None:
    prompts = [f"Who owns service {number}?" for number in range(24)]
    expected = LocalEngine(base).generate(prompts, SamplingParams(max_new_tokens=12), adapter=None)
    said: dict[int, str] = {}

    def ask(number: int) -> None:
        ids = tokens(submit(worker, base.model, encode_prompt(base.tokenizer, prompts[number])))
        said[number] = base.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [said[number] for number in range(len(prompts))] == [texts[0] for texts in expected]


def test_more_than_fits_waits_its_turn(base: BaseModel) -> None:
    prompts = [f"Who owns service {number}?" for number in range(6)]
    expected = LocalEngine(base).generate(prompts, SamplingParams(max_new_tokens=12), adapter=None)
    narrow = Worker(frozenset(stop_ids(base.tokenizer, base.model)), most_tokens=1)
    try:
        asked = [submit(narrow, base.model, encode_prompt(base.tokenizer, prompt)) for prompt in prompts]
        texts = [base.tokenizer.decode(tokens(one), skip_special_tokens=True) for one in asked]
    finally:
        narrow.close()
    assert texts == [one[0] for one in expected]


def test_a_model_that_fails_takes_down_its_own_sequences_only(base: BaseModel, worker: Worker) -> None:
    ids = encode_prompt(base.tokenizer, "Who?")
    good = submit(worker, base.model, ids, limit=60)
    unreadable = submit(worker, base.model, [10**9])  # no such token: the embedding fails
    with pytest.raises(EngineFailed, match="the model failed"):
        tokens(unreadable)
    assert worker.alive
    assert isinstance(good.get(timeout=30), Written | EngineFailed)
    assert tokens(submit(worker, base.model, ids))


def test_what_is_under_way_at_the_end_gets_an_error(base: BaseModel) -> None:
    worker = Worker(frozenset())
    arrived = submit(worker, base.model, encode_prompt(base.tokenizer, "Who?"), limit=200)
    arrived.get(timeout=30)
    worker.close()
    with pytest.raises(EngineFailed, match="was stopped"):
        tokens(arrived)
    with pytest.raises(EngineFailed, match="being stopped"):
        submit(worker, base.model, [1])
    assert not worker.alive


@pytest.mark.parametrize(("ended", "together"), [(2, True), (1, False)])
def test_after_several_ended_at_once_the_next_ones_are_read_together(
    ended: int, together: bool, worker: Worker, base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    join = RunningBatch.join

    def counted(batch: RunningBatch, sequences: Any) -> list[Written]:
        joined.append(len(sequences))
        return join(batch, sequences)

    monkeypatch.setattr(worker_module, "GATHER_SECONDS", 20.0)
    ids = encode_prompt(base.tokenizer, "Who?")
    with worker._news:  # so that they begin, and end, together
        first = [submit(worker, base.model, ids) for _ in range(ended)]
    for one in first:
        tokens(one)
    monkeypatch.setattr(RunningBatch, "join", counted)
    before = submit(worker, base.model, ids, limit=200)
    time.sleep(0.3)
    both = [before, submit(worker, base.model, ids, limit=200)]
    for one in both:
        tokens(one)
    assert (joined[0] == 2) is together
