"""Pieces of a stream put together are the text of the whole, up to what ends it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.servers.text import TextAssembly


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Callable[..., Path]) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model("qwen3"))


def pieces(tokenizer: Any, text: str, *stop: str) -> list[str]:
    assembly, found = TextAssembly(tokenizer, stop), list[str]()
    for token in tokenizer.encode(text, add_special_tokens=False):
        found.append(assembly.push(token))
        if assembly.stopped:
            break
    return [*found, assembly.end()]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=60).filter(lambda text: "<" not in text and "\ufffd" not in text))
def test_nothing_is_lost_and_no_character_is_split(tokenizer: Any, text: str) -> None:
    whole = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), clean_up_tokenization_spaces=False)
    found = pieces(tokenizer, text)
    assert "".join(found) == whole
    assert not any("\ufffd" in piece for piece in found)


def test_a_stop_string_ends_the_text_and_is_left_out(tokenizer: Any) -> None:
    assert "".join(pieces(tokenizer, "One. Two. Three.", "Two")) == "One. "


def test_the_first_of_several_stop_strings_counts(tokenizer: Any) -> None:
    assert "".join(pieces(tokenizer, "abc def ghi", "ghi", "def")) == "abc "


def test_what_only_begins_a_stop_string_is_given_out_later(tokenizer: Any) -> None:
    found = pieces(tokenizer, "One. Tw", "Two")
    assert "".join(found) == "One. Tw"
    assert found[-1] == "Tw"


def test_a_long_stop_string_costs_no_more_than_the_text_that_came() -> None:
    class Letters:
        def decode(self, ids: list[int], **_: object) -> str:
            return "b" * len(ids)

    assembly, begun = TextAssembly(Letters(), ("a" * 1_000_000,)), time.perf_counter()
    assert assembly.push(1) == "b"
    assert time.perf_counter() - begun < 0.5


def test_half_a_character_at_the_end_is_shown_as_such(tokenizer: Any) -> None:
    ids = tokenizer.encode("é", add_special_tokens=False)
    assert len(ids) > 1, "two bytes, two tokens"
    assembly = TextAssembly(tokenizer)
    assert assembly.push(ids[0]) == ""
    assert assembly.end() == "\ufffd"
