"""Asks K adapters of one base their questions in one batched decode, and grades the answers. Knows no training.

The rows of a batch come adapter after adapter, as in training; the base is run once for all of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.adapters.stack import shapes_of, stack_of, start_of
from pipeline.adapters.targets import linear_layers
from pipeline.chat import encode_prompt, stop_ids
from pipeline.engines.base import BaseModel
from pipeline.engines.decoding import Sampling, decode
from pipeline.errors import BadInput
from pipeline.grading import grade
from pipeline.recipe import TrainingRules
from pipeline.training.layers import Adapted, adapters_on
from pipeline.training.token_layout import arranged
from pipeline.types import EvalItem

if TYPE_CHECKING:
    import torch

_ROWS = 512  # of one decode, over all adapters


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
    import torch

    if not adapters or len(adapters) != len(prompts):
        raise BadInput(f"{len(adapters)} adapters and {len(prompts)} lists of prompts: give as many, and at least one.")
    encoded = [encode_prompt(base.tokenizer, prompt) for own in prompts for prompt in own]
    for row in encoded:
        if len(row) >= base.context:
            raise BadInput(
                f"a prompt of {len(row)} tokens leaves no room for an answer in a context of {base.context}."
            )
    lanes = [lane for lane, own in enumerate(prompts) for _ in own]
    shapes = shapes_of(linear_layers(base.model, rules.targets), rules.rank)
    stack = stack_of(torch.stack([start_of(shapes, 0, adapter) for adapter in adapters]).to(base.device), shapes)
    said = [""] * len(encoded)
    with adapters_on(base.model, stack, scale=rules.alpha / rules.rank, targets=rules.targets) as adapted:
        for batch in _batches(encoded):
            texts = _decode(base, adapted, [encoded[at] for at in batch], [lanes[at] for at in batch], max_new_tokens)
            for at, text in zip(batch, texts, strict=True):
                said[at] = text
    answers = iter(said)
    return tuple(tuple(next(answers) for _ in own) for own in prompts)


def score_many(
    base: BaseModel,
    adapters: "Sequence[Mapping[str, torch.Tensor]]",
    eval_items: Sequence[Sequence[EvalItem]],
    rules: TrainingRules,
    *,
    max_new_tokens: int,
) -> tuple[tuple[float, ...], ...]:
    """Each adapter's score in {0, 1} on each of its eval items, asked closed-book. Raises as `answer_many`."""
    questions = [[eval_item.question for eval_item in own] for own in eval_items]
    answers = answer_many(base, adapters, questions, rules, max_new_tokens=max_new_tokens)
    return tuple(
        tuple(float(grade(answer, eval_item.answers)) for answer, eval_item in zip(said, own, strict=True))
        for said, own in zip(answers, eval_items, strict=True)
    )


def _batches(encoded: Sequence[Sequence[int]]) -> list[list[int]]:
    """Alike lengths share a batch, so that little is padded."""
    order = sorted(range(len(encoded)), key=lambda at: (len(encoded[at]), at))
    return [sorted(order[first : first + _ROWS]) for first in range(0, len(order), _ROWS)]


def _decode(
    base: BaseModel, adapted: Adapted, rows: Sequence[Sequence[int]], lanes: Sequence[int], max_new_tokens: int
) -> list[str]:
    """The answers to rows of which each is one of the adapters `lanes`, which do not fall."""

    def arrange(alive: Sequence[int]) -> list[int]:
        by_lane = sorted(range(len(alive)), key=lambda place: (lanes[alive[place]], place))
        counts = Counter(lanes[row] for row in alive)
        adapted.parts, order = arranged([counts[lane] for lane in range(adapted.stack.lanes)], filled=False)
        return [by_lane[place] for place in order]

    order = arrange(range(len(rows)))
    out = decode(
        base.model,
        [rows[row] for row in order],
        copies=1,
        limits=[min(max_new_tokens, base.context - len(rows[row])) for row in order],
        stops=frozenset(stop_ids(base.tokenizer, base.model)),
        sampling=Sampling(),
        draws=None,
        arrange=lambda alive: arrange([order[place] for place in alive]),
    )
    texts = base.tokenizer.batch_decode(out, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    said = dict(zip(order, texts, strict=True))
    return [str(said[row]) for row in range(len(rows))]
