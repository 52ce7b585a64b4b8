"""Asks K adapters of one base their questions in one batched decode, and grades the answers. Knows no training.

The rows of a batch come adapter after adapter, as in training; the base is run once for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from pipeline.chat import encode_prompt, stop_ids
from pipeline.config import TrainingRules
from pipeline.engines.base import BaseModel
from pipeline.engines.decoding import Sampling, decode
from pipeline.errors import BadInput
from pipeline.grading import grade
from pipeline.types import Probe
from pipeline.updates.layers import adapters_on
from pipeline.updates.stack import shapes_of, stack_of, start_of
from pipeline.updates.targets import linear_layers

if TYPE_CHECKING:
    import torch

_ROWS = 256  # of one decode, over all adapters


@dataclass(frozen=True)
class _Turn:
    """One prompt an adapter: what is decoded together. Where an adapter has none left, another's stands in."""

    prompts: tuple[tuple[int, ...], ...]
    asked: tuple[bool, ...]


def answer_many(
    base: BaseModel,
    adapters: "Sequence[Mapping[str, torch.Tensor]]",
    prompts: Sequence[Sequence[str]],
    rules: TrainingRules,
    *,
    max_new_tokens: int,
) -> tuple[tuple[str, ...], ...]:
    """Greedy answers of each adapter (tensors by PEFT's keys, of `rules`' rank and layers) to its own prompts.

    Raises BadInput where there is no adapter, they are not as many as the lists of prompts, or a prompt leaves an
    answer no room in the model's context.
    """
    if not adapters or len(adapters) != len(prompts):
        raise BadInput(f"{len(adapters)} adapters and {len(prompts)} lists of prompts: give as many, and at least one.")
    encoded = [[tuple(encode_prompt(base.tokenizer, prompt)) for prompt in own] for own in prompts]
    for row in (row for own in encoded for row in own):
        if len(row) >= base.context:
            raise BadInput(
                f"a prompt of {len(row)} tokens leaves no room for an answer in a context of {base.context}."
            )
    shapes = shapes_of(linear_layers(base.model, rules.targets), rules.rank)
    import torch

    stack = stack_of(torch.stack([start_of(shapes, 0, adapter) for adapter in adapters]).to(base.device), shapes)
    scale = rules.alpha / rules.rank
    said: list[list[str]] = [[] for _ in adapters]
    with adapters_on(base.model, stack, scale=scale, tokens=1, targets=rules.targets):
        for batch in _batches(_turns(encoded), len(adapters)):
            for lane, texts in enumerate(_decode(base, batch, len(adapters), max_new_tokens)):
                said[lane] += texts
    return tuple(map(_in_order, said, encoded))


def score_many(
    base: BaseModel,
    adapters: "Sequence[Mapping[str, torch.Tensor]]",
    probes: Sequence[Sequence[Probe]],
    rules: TrainingRules,
    *,
    max_new_tokens: int,
) -> tuple[tuple[float, ...], ...]:
    """Each adapter's score in {0, 1} on each of its probes, asked closed-book. Raises as `answer_many`."""
    questions = [[probe.question for probe in own] for own in probes]
    answers = answer_many(base, adapters, questions, rules, max_new_tokens=max_new_tokens)
    return tuple(
        tuple(float(grade(answer, probe.answers)) for answer, probe in zip(said, own, strict=True))
        for said, own in zip(answers, probes, strict=True)
    )


def _ordered(rows: Sequence[tuple[int, ...]]) -> list[int]:
    """Short prompts first, so that little is padded and alike lengths share a batch."""
    return sorted(range(len(rows)), key=lambda place: (len(rows[place]), place))


def _in_order(said: Sequence[str], rows: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
    """An adapter's answers in the order of its prompts."""
    places = _ordered(rows)
    return tuple(text for _, text in sorted(zip(places, said, strict=True)))


def _turns(encoded: Sequence[Sequence[tuple[int, ...]]]) -> list[_Turn]:
    """The adapters' prompts in step, shortest first."""
    own = [[rows[place] for place in _ordered(rows)] for rows in encoded]
    turns = []
    for prompts in zip_longest(*own):
        some = next(prompt for prompt in prompts if prompt is not None)
        filled = tuple(some if prompt is None else prompt for prompt in prompts)
        turns.append(_Turn(prompts=filled, asked=tuple(prompt is not None for prompt in prompts)))
    return turns


def _batches(turns: Sequence[_Turn], lanes: int) -> list[Sequence[_Turn]]:
    count = max(1, _ROWS // lanes)
    return [turns[first : first + count] for first in range(0, len(turns), count)]


def _decode(base: BaseModel, turns: Sequence[_Turn], lanes: int, max_new_tokens: int) -> list[list[str]]:
    """Each adapter's answers to its prompts of these turns."""
    rows = [turn.prompts[lane] for lane in range(lanes) for turn in turns]
    asked = [turn.asked[lane] for lane in range(lanes) for turn in turns]
    rooms = [min(max_new_tokens, base.context - len(row)) for row in rows]
    limits = [room if real else 1 for room, real in zip(rooms, asked, strict=True)]
    out = decode(
        base.model, rows, copies=1, limits=limits, stops=frozenset(stop_ids(base.tokenizer, base.model)),
        sampling=Sampling(), draws=None, lanes=lanes,
    )  # fmt: skip
    texts = [
        str(base.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)) for ids in out
    ]
    count = len(turns)
    return [
        [text for text, real in zip(texts[first : first + count], asked[first : first + count], strict=True) if real]
        for first in range(0, lanes * count, count)
    ]
