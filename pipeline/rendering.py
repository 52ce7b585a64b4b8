"""Renders conversations by a tokenizer's chat template: without thinking, and with one date for all of a run.

A date that a template prints would else differ between a run's training and its gates, and between two models' scores.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from pipeline.errors import ExternalError

Tokenizer = Any  # a PreTrainedTokenizerBase of transformers, which is not imported here
Turn = dict[str, str]
_CLOCK = "strftime_now"  # what templates call for the date, always with the form as it stands
_CALL = re.compile(rf"{_CLOCK}\(\s*(?P<quote>['\"])(?P<form>[^'\"\\]*)(?P=quote)\s*\)")
_OPENS = ("<think>", "<thinking>", "<|START_THINKING|>")
_day: ContextVar[date | None] = ContextVar("day", default=None)


class Thinking(StrEnum):
    """What a template makes of thinking before an answer. A manifest keeps it."""

    NONE = "none"  # it knows none
    OFF = "off"  # it has the mode, and was asked to leave it off
    OPEN = "open"  # it begins each answer within a thought, whatever it is asked


@contextmanager
def dated(day: date) -> Iterator[None]:
    """Templates print this day within the block, and no time of it."""
    token = _day.set(day)
    try:
        yield
    finally:
        _day.reset(token)


@contextmanager
def dated_today() -> Iterator[None]:
    """Templates print the day on which the block begins: what is compared within it is asked on one day."""
    with dated(printed_day()):
        yield


def template_day(tokenizer: Tokenizer) -> str:
    """The day that the template prints now (ISO 8601); "" for one that prints none."""
    return printed_day().isoformat() if _CLOCK in str(tokenizer.chat_template or "") else ""


def render(tokenizer: Tokenizer, turns: Sequence[Turn], *, generation: bool) -> str:
    """The conversation's text; with `generation` up to the answer that comes next. Raises ExternalError."""
    # Templates with a thinking mode are asked for a direct answer; all others ignore the argument.
    return _render(tokenizer, turns, generation=generation, enable_thinking=False)


def thinking_of(tokenizer: Tokenizer) -> Thinking:
    """How `render` leaves the template's thinking, found out by rendering. Raises ExternalError."""
    if not tokenizer.chat_template:
        return Thinking.NONE
    asked: list[Turn] = [{"role": "user", "content": "Who?"}]
    plain, on = (_render(tokenizer, asked, generation=True, enable_thinking=mode) for mode in (False, True))
    if plain.rstrip().endswith(_OPENS):
        return Thinking.OPEN
    return Thinking.OFF if plain != on else Thinking.NONE


def _render(tokenizer: Tokenizer, turns: Sequence[Turn], *, generation: bool, enable_thinking: bool) -> str:
    template = _with_day(tokenizer.get_chat_template(), printed_day()) if template_day(tokenizer) else None
    try:
        text = tokenizer.apply_chat_template(
            list(turns),
            chat_template=template,
            tokenize=False,
            add_generation_prompt=generation,
            enable_thinking=enable_thinking,
        )
    except TemplateError as error:
        raise ExternalError(
            f"the chat template cannot render a user's turn: {error}. Correct chat_template.jinja of the base model."
        ) from error
    return str(text)


@lru_cache(maxsize=8)
def _with_day(template: str, day: date) -> str:
    """The template with its day as text. The library hands templates no function of ours (transformers 5.23)."""
    begins = datetime.combine(day, time())
    return _CALL.sub(lambda call: f"{call['quote']}{begins.strftime(call['form'])}{call['quote']}", template)


def printed_day() -> date:
    """The day (UTC) that templates print now."""
    return _day.get() or datetime.now(UTC).date()
