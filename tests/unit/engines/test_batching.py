"""Sequences that join and leave a running batch are written as if they were alone."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pipeline.chat import encode_prompt, stop_ids
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.batching import Finish, RunningBatch, TokenSequence, Written
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine

PROMPTS = [f"Who owns service {number}" + " and where does it run" * (number % 4) + "?" for number in range(9)]


@pytest.fixture(params=["llama", "qwen3", "gpt2"])
def base(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model(request.param)), device="cpu")


def params_of(number: int) -> SamplingParams:
    return SamplingParams(max_new_tokens=5 + number, temperature=0.9 * (number % 3 == 0), top_p=0.95, seed=number)


def sequence(base: BaseModel, number: int) -> TokenSequence:
    params = params_of(number)
    ids = encode_prompt(base.tokenizer, PROMPTS[number])
    return TokenSequence(ids=ids, limit=params.max_new_tokens, params=params)


def text(base: BaseModel, tokens: list[int]) -> str:
    return str(base.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def batch_of(base: BaseModel) -> RunningBatch:
    return RunningBatch(base.model, frozenset(stop_ids(base.tokenizer, base.model)))


def collect(written: list[Written], tokens: dict[int, list[int]], ended: dict[int, Finish]) -> None:
    for one in written:
        assert one.key not in ended, "nothing comes after the end"
        tokens.setdefault(one.key, []).extend([] if one.token is None else [one.token])
        if one.finish:
            ended[one.key] = one.finish


@pytest.mark.parametrize("seed", [0, 1])
def test_joining_at_any_time_changes_no_answer(base: BaseModel, seed: int) -> None:
    alone = [
        LocalEngine(base).generate([prompt], params_of(number), adapter=None)[0][0]
        for number, prompt in enumerate(PROMPTS)
    ]
    batch, chance, waiting = batch_of(base), Random(seed), list(range(len(PROMPTS)))
    tokens: dict[int, list[int]] = {}
    ended: dict[int, Finish] = {}
    while waiting or len(batch):
        if waiting and chance.random() < 0.5:
            joining, waiting = waiting[: chance.randint(1, 3)], waiting[3:]
            collect(batch.join({number: sequence(base, number) for number in joining}), tokens, ended)
        collect(batch.step(), tokens, ended)
    written = {number: text(base, ids) for number, ids in tokens.items()}
    assert written == {number: alone[number] for number in written}
    assert len(written) >= 5
    for number, finish in ended.items():
        assert (finish is Finish.LENGTH) == (len(tokens[number]) == params_of(number).max_new_tokens)


def test_a_cancelled_sequence_gets_no_further_token_and_the_others_go_on(tiny_model: Callable[..., Path]) -> None:
    base = load_base(str(tiny_model("llama")), device="cpu")
    batch = RunningBatch(base.model, frozenset())
    batch.join({number: sequence(base, number) for number in (3, 4)})
    assert batch.cancel(3)
    assert not batch.cancel(3)
    assert [one.key for one in batch.step()] == [4]
    assert len(batch) == 1


def test_padding_that_no_row_needs_any_more_is_dropped(tiny_model: Callable[..., Path]) -> None:
    base = load_base(str(tiny_model("llama")), device="cpu")
    batch = RunningBatch(base.model, frozenset())
    batch.join({0: sequence(base, 3), 1: sequence(base, 4)})
    long = batch._state.cache.get_seq_length()  # type: ignore[union-attr]
    batch.cancel(0)
    batch.step()
    assert batch._state.cache.get_seq_length() < long  # type: ignore[union-attr]
    assert batch._state.mask is None  # type: ignore[union-attr]


def test_a_batch_that_could_not_pad_takes_nobody_while_it_runs(tiny_model: Callable[..., Path]) -> None:
    base = load_base(str(tiny_model("llama")), device="cpu")
    batch = RunningBatch(base.model, frozenset())
    assert batch.open
    base.model._is_stateful = True
    assert batch.open, "an empty batch is always open"
    batch.join({0: sequence(base, 4)})
    assert not batch.open
