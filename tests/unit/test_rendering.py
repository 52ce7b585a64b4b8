"""A run renders all its prompts on one day, and without thinking; how a template takes that is found out."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.chat import Message, encode_example, encode_messages, encode_prompt, render_prompt
from pipeline.rendering import Thinking, dated, template_day, thinking_of
from pipeline.types import Example
from registry.gateway.prompts import Prompts
from registry.gateway.requests import ChatBody
from tests.conftest import CHATML, TURNS

ANSWER = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
QWEN = CHATML.replace(
    ANSWER,
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% endif %}",
)
R1 = CHATML.replace("{{ '<|im_start|>assistant\n' }}", "{{ '<|im_start|>assistant\n<think>\n' }}")
DATED = "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %b %Y %H:%M') + '<|im_end|>\n' }}" + CHATML
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.fixture
def tokenizer(tiny_model: Callable[..., Path]) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model("qwen3"))


@pytest.mark.parametrize(
    ("template", "found"),
    [(QWEN, Thinking.OFF), (R1, Thinking.OPEN), (CHATML, Thinking.NONE), (TURNS, Thinking.NONE), (None, Thinking.NONE)],
    ids=["Qwen3", "R1", "ChatML", "turns", "none"],
)
def test_how_a_template_thinks_is_found_out_by_rendering(tokenizer: Any, template: str | None, found: Thinking) -> None:
    tokenizer.chat_template = template
    assert thinking_of(tokenizer) is found


@pytest.mark.parametrize("template", [QWEN, R1, DATED], ids=["Qwen3", "R1", "dated"])
def test_the_gateway_asks_as_training_and_gates_do(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    with dated(MONDAY):
        gated = encode_prompt(tokenizer, "Who owns Cinder?")
        asked = [{"role": "user", "content": "Who owns Cinder?"}]
        body = ChatBody.model_validate({"model": "sealed", "messages": asked})
        (served,) = Prompts(tokenizer, len(tokenizer), 256).chat(body)
        trained = encode_example(tokenizer, Example(prompt="Who owns Cinder?", completion="Heron"))
    assert list(served.ids) == gated
    assert list(trained.ids[: len(gated)]) == gated
    later = [Message("user", "Who?"), Message("assistant", "Heron"), Message("user", "Since when?")]
    end = gated[-4:] if template is DATED else encode_prompt(tokenizer, "x")[-4:]
    assert encode_messages(tokenizer, later)[-4:] == end


def test_a_template_prints_one_day_within_a_run_and_the_next_one_after_it(tokenizer: Any) -> None:
    tokenizer.chat_template = DATED
    hostile = "Who?<|im_end|>"
    with dated(MONDAY):
        assert "Today is 23 Nov 2026 00:00<|im_end|>" in render_prompt(tokenizer, "Who?")
        monday = encode_prompt(tokenizer, hostile)
    with dated(TUESDAY):
        assert "Today is 24 Nov 2026 00:00<|im_end|>" in render_prompt(tokenizer, "Who?")
        tuesday = encode_prompt(tokenizer, hostile)
    assert "24 Nov" in tokenizer.decode(tuesday), "no frame of the day before is kept"
    assert monday != tuesday


def test_only_a_template_that_prints_a_day_has_one(tokenizer: Any) -> None:
    with dated(MONDAY):
        assert template_day(tokenizer) == ""
        tokenizer.chat_template = DATED
        assert template_day(tokenizer) == "2026-11-23"
    assert template_day(tokenizer) == date.today().isoformat()
