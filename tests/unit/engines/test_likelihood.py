"""Continuations of one context are scored as each would be alone, and what contexts share is read once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import transformers

from pipeline import progress
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.branches import ROWS, can_branch
from pipeline.engines.likelihood import Row, batches, likelihoods

HEAD = [5, 6, 7]


@pytest.fixture(scope="module", params=["llama", "qwen3", "gpt2"])
def base(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model(request.param)), device="cpu")


def _expected(model: Any, row: Row) -> float:
    context, said = row
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([context + said])).logits[0].log_softmax(-1)
    return sum(float(logits[len(context) - 1 + at, token]) for at, token in enumerate(said))


def _check(model: Any, rows: list[Row]) -> None:
    found = [logprob for logprob, _ in likelihoods(model, rows)]
    assert found == pytest.approx([_expected(model, row) for row in rows], abs=2e-5)


def _read_by(model: Any, rows: list[Row]) -> int:
    """How many ids the model is given."""
    read, forward = 0, model.forward

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal read
        ids = kwargs["input_ids"]
        assert isinstance(ids, torch.Tensor)
        read += ids.numel()
        return forward(*args, **kwargs)

    with patch.object(model, "forward", counted):
        likelihoods(model, rows)
    return read


def test_the_choices_of_several_questions_in_any_order(base: BaseModel) -> None:
    first, second, third = [*HEAD, 9, 10, 11, 12], [*HEAD, 8], [*HEAD, 13, 14]
    _check(
        base.model,
        [(first, [3]), (second, [4, 5, 6]), (first, [7, 8, 9, 10]), (third, [11]), (second, [12]), (first, [3, 4])],
    )


def test_contexts_that_share_nothing(base: BaseModel) -> None:
    _check(base.model, [([3, 4], [5]), ([3, 4], [6, 7]), ([8], [9, 10]), ([8], [11])])


def test_one_context_alone_with_continuations_of_one_token(base: BaseModel) -> None:
    _check(base.model, [([*HEAD, 9], [token]) for token in range(3, 8)])


def test_more_continuations_than_are_scored_together(base: BaseModel) -> None:
    _check(base.model, [([*HEAD, 9 + at // 50], [3 + at % 50, 4]) for at in range(60)])


def test_the_choices_of_a_question_that_just_fits_the_context(base: BaseModel) -> None:
    long, short = [5 + at % 20 for at in range(base.context - 2)], [5 + at % 20 for at in range(base.context - 9)]
    _check(base.model, [(long, [3]), (long, [4, 5]), (short, [3] * 9), (short, [6])])


def test_the_likeliest_token_is_what_greedy_decoding_gives(base: BaseModel) -> None:
    with torch.inference_mode():
        best = int(base.model(input_ids=torch.tensor([HEAD])).logits[0, -1].argmax())
    other = best + 1 if best < 20 else best - 1
    assert [greedy for _, greedy in likelihoods(base.model, [(HEAD, [best]), (HEAD, [other])])] == [True, False]


def test_a_context_is_read_once_for_all_its_choices(base: BaseModel) -> None:
    rows = [([*HEAD, 9, 10, 11, at], [choice, 4]) for at in (12, 13) for choice in range(3, 7)]
    # What all begin with, the rest of both contexts, the continuations' first tokens.
    assert _read_by(base.model, rows) == 6 + 2 * 1 + 8 * 1


def test_continuations_that_are_as_long_as_their_context_are_scored_whole(base: BaseModel) -> None:
    rows = [([5], [at, 4, 6]) for at in range(7, 7 + ROWS)]
    _check(base.model, rows)
    assert _read_by(base.model, rows) == ROWS * 4


def test_long_rows_are_scored_in_smaller_batches() -> None:
    """So that their logits fit; a row that alone has more is scored alone."""
    lengths = {0: 9_000, 1: 100, 2: 4_000, 3: 2_000, 4: 2_500, 5: 90}
    assert list(batches(lengths, vocabulary=50_000)) == [[5, 1], [3, 4], [2], [0]]
    assert [len(batch) for batch in batches(dict.fromkeys(range(40), 50), vocabulary=50_000)] == [16, 16, 8]


def test_progress_is_told_in_tokens_up_to_all_of_them(base: BaseModel) -> None:
    told: list[tuple[float, float]] = []
    rows: list[Row] = [([*HEAD, 9], [3, 4]), ([*HEAD, 9], [5]), ([8], [9, 10])]
    with progress.watched_by(lambda step, done, total: told.append((done, total))), progress.step("choices"):
        likelihoods(base.model, rows)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (14, 14)


SIZES = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2, "initializer_range": 0.2}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 24}
UNFIT = {
    "a sliding window": transformers.MistralConfig(**SIZES, **HEADS, sliding_window=4),
    "some sliding layers": transformers.Gemma3TextConfig(**SIZES, **HEADS, head_dim=8, sliding_window=4),
    "a hidden window": transformers.GPTNeoConfig(
        vocab_size=32,
        hidden_size=16,
        num_layers=2,
        num_heads=2,
        attention_types=[[["global", "local"], 1]],
        window_size=4,
    ),
    "a state": transformers.MambaConfig(**SIZES, state_size=4),
    "no position ids": transformers.BloomConfig(vocab_size=32, hidden_size=16, n_layer=2, n_head=2),
}


@pytest.mark.parametrize("config", UNFIT.values(), ids=list(UNFIT))
def test_a_model_that_may_have_no_padding_between_is_scored_whole(config: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    rows = [([*HEAD, *range(9, end)], [choice, 4]) for end in (12, 20) for choice in (3, 5)]
    assert not can_branch(model)
    _check(model, rows)
    assert _read_by(model, rows) == 4 * len(rows[-1][0] + rows[-1][1])
