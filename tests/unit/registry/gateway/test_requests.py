"""What OpenAI's clients send is understood, and what would change the answer unnoticed is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.chat import encode_plain, encode_prompt
from pipeline.errors import BadRequest
from registry.gateway.prompts import Prompts
from registry.gateway.requests import ChatBody, TextBody, read_request

USER = {"role": "user", "content": "Who owns Cinder?"}


@pytest.fixture(scope="module")
def prompts(tiny_model: Callable[..., Path]) -> Prompts:
    from transformers import AutoTokenizer

    return Prompts(AutoTokenizer.from_pretrained(tiny_model("llama")), vocabulary=384, context=256)


def chat(**values: Any) -> ChatBody:
    return read_request(ChatBody, json.dumps({"model": "sealed", "messages": [USER]} | values).encode())


def text(**values: Any) -> TextBody:
    return read_request(TextBody, json.dumps({"model": "sealed", "prompt": "The"} | values).encode())


def test_a_request_without_more_is_greedy_and_has_all_the_room_there_is(prompts: Prompts) -> None:
    (one,) = prompts.chat(chat())
    assert one.ids == tuple(encode_prompt(prompts.tokenizer, "Who owns Cinder?"))
    assert (one.params.temperature, one.params.top_p, one.stop) == (0.0, 1.0, ())
    assert one.params.max_new_tokens == 256 - len(one.ids)


def test_sampling_stops_and_seeds_are_taken(prompts: Prompts) -> None:
    asked = chat(temperature=0.7, top_p=0.9, n=3, max_completion_tokens=9, stop=["x", ""], seed=5)
    found = prompts.chat(asked)
    assert [one.params.seed for one in found] == [5, 6, 7]
    assert {(one.params.temperature, one.params.top_p, one.params.max_new_tokens) for one in found} == {(0.7, 0.9, 9)}
    assert found[0].stop == ("x",)


def test_content_may_come_in_parts_and_developers_speak_as_the_system(prompts: Prompts) -> None:
    parts = [{"type": "text", "text": "Who owns "}, {"type": "text", "text": "Cinder?"}]
    assert prompts.chat(chat(messages=[{"role": "user", "content": parts}]))[0].ids == prompts.chat(chat())[0].ids
    assert chat(messages=[{"role": "developer", "content": "Be brief."}, USER]).conversation[0].role == "system"


def test_a_text_is_continued_as_it_is_or_as_ids(prompts: Prompts) -> None:
    (one,) = prompts.text(text())
    assert one.ids == tuple(encode_plain(prompts.tokenizer, "The"))
    assert one.params.max_new_tokens == 16
    assert prompts.text(text(prompt=[5, 6, 7]))[0].ids == (5, 6, 7)
    assert prompts.text(text(prompt=["The"]))[0].ids == one.ids


@pytest.mark.parametrize(
    "harmless",
    [
        {"user": "x"},
        {"metadata": {"a": "b"}},
        {"tools": []},
        {"logprobs": False},
        {"tools": None},
        {"response_format": {"type": "text"}},
        {"frequency_penalty": 0},
        {"store": True},
    ],
)
def test_parameters_that_change_nothing_are_ignored(harmless: dict[str, Any]) -> None:
    assert chat(**harmless)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logit_bias": {"5": 10}}, "logit_bias"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 17}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content.str"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop.list[constrained-str]"),
        ({"stop": "a" * 257}, "stop"),
        ({"stop": ["a" * 257]}, "stop"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(wrong: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        chat(**wrong)
    assert str(refused.value.param).split(".")[0] == param.split(".")[0]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"messages": "x"}', b'{"messages": [{"role": "user", "content": "\\ud800"}]}']
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="the request cannot be read"):
        read_request(ChatBody, data)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ([384], "not below 384"),
        ("word " * 500, "leaves no room"),
        ("x" * 20_000, "cannot fit"),
        ([1] * 256, "leaves no room"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(prompts: Prompts, prompt: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        prompts.text(text(prompt=prompt))
