"""What a completions server answers, as OpenAI's protocol and vLLM write it."""

import json

import pytest

from pipeline.engines.responses import logprob_of, samples_of

COMPLETION = """{"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "base", "choices": [
    {"index": 1, "text": " Osprey", "logprobs": null, "finish_reason": "length", "stop_reason": null},
    {"index": 0, "text": " Heron", "logprobs": null, "finish_reason": "stop", "stop_reason": 2}
], "usage": {"prompt_tokens": 3, "total_tokens": 5, "completion_tokens": 2}}"""
SCORED = """{"id": "cmpl-2", "object": "text_completion", "created": 1, "model": "base", "choices": [
    {"index": 0, "text": "x", "logprobs": null, "finish_reason": "length", "prompt_logprobs": [
        null,
        {"7": {"logprob": -0.25, "rank": 1, "decoded_token": "a"}},
        {"9": {"logprob": -1.5, "rank": 4, "decoded_token": "b"}}
    ]}
], "usage": {"prompt_tokens": 3, "total_tokens": 4, "completion_tokens": 1}}"""


def test_samples_come_in_the_order_of_their_index() -> None:
    assert samples_of("http://s", json.loads(COMPLETION), model="base", count=2) == (" Heron", " Osprey")


def test_an_answers_logprob_is_the_sum_over_its_tokens() -> None:
    assert logprob_of("http://s", json.loads(SCORED), [7, 9], model="base") == pytest.approx(-1.75)
