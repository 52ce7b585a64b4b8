"""Continuations of one context are scored as each would be alone, and what contexts share is read once."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.likelihood import Row, likelihoods

HEAD = [5, 6, 7]


@pytest.fixture(scope="module", params=["llama", "qwen3", "gpt2"])
def base(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model(request.param)), device="cpu")


def _expected(base: BaseModel, row: Row) -> float:
    context, said = row
    with torch.inference_mode():
        logits = base.model(input_ids=torch.tensor([context + said])).logits[0].log_softmax(-1)
    return sum(float(logits[len(context) - 1 + at, token]) for at, token in enumerate(said))


def _check(base: BaseModel, rows: list[Row]) -> None:
    found = [logprob for logprob, _ in likelihoods(base.model, rows)]
    assert found == pytest.approx([_expected(base, row) for row in rows], abs=1e-4)


def test_the_choices_of_several_questions_in_any_order(base: BaseModel) -> None:
    first, second, third = [*HEAD, 9, 10, 11, 12], [*HEAD, 8], [*HEAD, 13, 14]
    _check(
        base,
        [(first, [3]), (second, [4, 5, 6]), (first, [7, 8, 9, 10]), (third, [11]), (second, [12]), (first, [3, 4])],
    )


def test_contexts_that_share_nothing(base: BaseModel) -> None:
    _check(base, [([3, 4], [5]), ([3, 4], [6, 7]), ([8], [9, 10]), ([8], [11])])


def test_one_context_alone_with_continuations_of_one_token(base: BaseModel) -> None:
    _check(base, [([*HEAD, 9], [token]) for token in range(3, 8)])


def test_more_continuations_than_are_scored_together(base: BaseModel) -> None:
    _check(base, [([*HEAD, 9 + at // 20], [3 + at % 20, 4]) for at in range(60)])


def test_the_likeliest_token_is_what_greedy_decoding_gives(base: BaseModel) -> None:
    with torch.inference_mode():
        best = int(base.model(input_ids=torch.tensor([HEAD])).logits[0, -1].argmax())
    other = best + 1 if best < 20 else best - 1
    assert [greedy for _, greedy in likelihoods(base.model, [(HEAD, [best]), (HEAD, [other])])] == [True, False]


def test_a_context_is_read_once_for_all_its_choices(base: BaseModel) -> None:
    rows = [([*HEAD, 9, 10, 11, at], [choice, 4]) for at in (12, 13) for choice in range(3, 7)]
    read = 0

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal read
        ids = kwargs["input_ids"]
        assert isinstance(ids, torch.Tensor)
        read += ids.numel()
        return forward(*args, **kwargs)

    forward = base.model.forward
    with patch.object(base.model, "forward", counted):
        likelihoods(base.model, rows)
    assert read == 6 + 2 * 1 + 8 * 1  # what all begin with, the rest of both contexts, the continuations' first tokens
