"""Asks K adapters of one base their questions in one batched decode, and grades the answers. Knows no training.

The rows of a batch come adapter after adapter, as in training; the base is run once for all of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pipeline.adapters.stack import Tensors, start_of
from pipeline.chat import encode_prompt, stop_ids
from pipeline.engines import SamplingParams, room_for
from pipeline.engines.base import BaseModel
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.errors import BadInput
from pipeline.grading import grade
from pipeline.prompts import QUESTION, framed
from pipeline.recipe import TrainingRules
from pipeline.training.lora_linear import Adapted, adapter_shapes, arranged, with_adapters
from pipeline.types import EvalItem

_ROWS = 512  # of one decode, over all adapters


def answer_many(
    base: BaseModel,
    adapters: Sequence[Tensors],
    prompts: Sequence[Sequence[str]],
    rules: TrainingRules,
    *,
    max_new_tokens: int,
) -> tuple[tuple[str, ...], ...]:
    """Greedy answers of each adapter (tensors by PEFT's keys, of `rules`' rank and layers) to its own prompts.

    Raises BadInput where there is no adapter, there are not as many lists of prompts, or a prompt leaves no room for an
    answer in the model's context.
    """
    if not adapters or len(adapters) != len(prompts):
        raise BadInput(f"{len(adapters)} adapters and {len(prompts)} lists of prompts: give as many, and at least one.")
    encoded = [encode_prompt(base.tokenizer, prompt) for own in prompts for prompt in own]
    limits = [room_for(row, max_new_tokens, base.context) for row in encoded]
    adapter_of = [adapter for adapter, own in enumerate(prompts) for _ in own]
    shapes, answers = adapter_shapes(base, rules), [""] * len(encoded)
    with with_adapters(base, rules, [start_of(shapes, 0, adapter) for adapter in adapters]) as adapted:
        for rows in _batches(encoded):
            job = DecodingJob(
                prompts=[encoded[row] for row in rows],
                limits=[limits[row] for row in rows],
                stops=frozenset(stop_ids(base.tokenizer, base.model)),
                params=SamplingParams(max_new_tokens=max_new_tokens),
            )
            texts = _decode(base, adapted, job, [adapter_of[row] for row in rows])
            for row, text in zip(rows, texts, strict=True):
                answers[row] = text
    left = iter(answers)
    return tuple(tuple(next(left) for _ in own) for own in prompts)


def score_many(
    base: BaseModel,
    adapters: Sequence[Tensors],
    eval_items: Sequence[Sequence[EvalItem]],
    rules: TrainingRules,
    *,
    max_new_tokens: int,
    question_prompt: str = QUESTION,
) -> tuple[tuple[float, ...], ...]:
    """Each adapter's score in {0, 1} on each of its eval items, asked closed-book. Raises as `answer_many`.

    `question_prompt`: the recipe's, in which each question is put.
    """
    questions = [[framed(question_prompt, item.question, item.title) for item in own] for own in eval_items]
    answers = answer_many(base, adapters, questions, rules, max_new_tokens=max_new_tokens)
    return tuple(
        tuple(float(grade(answer, item.answers, item.question)) for answer, item in zip(given, own, strict=True))
        for given, own in zip(answers, eval_items, strict=True)
    )


def _batches(encoded: Sequence[Sequence[int]]) -> list[list[int]]:
    """Rows of similar length share a batch, so that little is padded."""
    order = sorted(range(len(encoded)), key=lambda at: (len(encoded[at]), at))
    return [sorted(order[first : first + _ROWS]) for first in range(0, len(order), _ROWS)]


def _decode(base: BaseModel, adapted: Adapted, job: DecodingJob, adapter_of: Sequence[int]) -> list[str]:
    """The answers to the job's prompts, of which prompt i is for adapter `adapter_of[i]`; these ascend."""

    def arrange(rows: Sequence[int]) -> list[int]:
        by_adapter = sorted(range(len(rows)), key=lambda place: (adapter_of[rows[place]], place))
        counts = Counter(adapter_of[row] for row in rows)
        adapted.tokens, order = arranged([counts[one] for one in range(len(adapted.stack))], filled=False)
        return [by_adapter[place] for place in order]

    order = arrange(range(len(job.prompts)))
    ordered = replace(
        job,
        prompts=[job.prompts[row] for row in order],
        limits=[job.limits[row] for row in order],
        arrange=lambda left: arrange([order[place] for place in left]),
    )
    ids = decode(base.model, ordered)
    texts = base.tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    answers = dict(zip(order, texts, strict=True))
    return [str(answers[row]) for row in range(len(job.prompts))]
