"""Scores of a template that prints the date are kept for their day alone: yesterday's are not compared with today's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gates.evaluated import EvaluatedModel
from pipeline.engines.base import BaseModel, load_base
from pipeline.recipe import PolicyRules
from pipeline.rendering import dated
from tests.conftest import CHATML

DATED = "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %b %Y') + '<|im_end|>\n' }}" + CHATML
DAYS = (date(2026, 11, 23), date(2026, 11, 24))


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("qwen3")), device="cpu")


def keys(base: BaseModel) -> list[str]:
    found = []
    for day in (*DAYS, DAYS[0]):
        with dated(day):
            found.append(EvaluatedModel(base, None, PolicyRules()).settings)
    return found


def test_the_day_is_part_of_the_key_where_the_template_prints_it(base: BaseModel) -> None:
    tokenizer = base.tokenizer
    usual = tokenizer.chat_template
    tokenizer.chat_template = DATED
    try:
        first, second, again = keys(replace(base, tokenizer=tokenizer))
    finally:
        tokenizer.chat_template = usual
    assert first == again != second


def test_it_is_no_part_of_other_keys(base: BaseModel) -> None:
    assert len(set(keys(base))) == 1
