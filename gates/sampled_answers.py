"""How often a model answers right: of each question several answers are sampled, and the share of right ones counts.

A greedy answer tells only what is likeliest. Where a question was chosen because the model gives its answer, the
greedy one can only be lost, and what is half known flips with any change (docs/adr/0028-retention-is-sampled.md).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gates.evaluated import must_fit
from gates.suite import SAMPLING_SEED, SAMPLING_TEMPERATURE, Suite
from pipeline import progress
from pipeline.chat import encode_prompt
from pipeline.engines import SamplingParams
from pipeline.engines.base import BaseModel
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.prompts import framed
from pipeline.recipe import PolicyRules
from pipeline.types import ItemScore


def sampled(
    base: BaseModel, adapter: Path | None, policy: PolicyRules, suites: Sequence[Suite]
) -> Iterator[tuple[Suite, tuple[ItemScore, ...]]]:
    """Suite by suite, of each question the share in [0, 1] of its samples that are right, and the first sample.

    A question draws the same random numbers of every model and beside whatever others, so what is alike in two models
    is answered alike. Reports progress in questions of all suites. Raises MeasurementFailed on a question that does
    not fit, and whatever loading the adapter raises.
    """
    before, total = 0, sum(map(len, suites))
    with progress.step("sampled answers"):
        for suite in suites:
            with progress.part(before, len(suite), total):
                found = _shares(base, adapter, policy, suite)
            before += len(suite)
            yield suite, found


def _shares(base: BaseModel, adapter: Path | None, policy: PolicyRules, suite: Suite) -> tuple[ItemScore, ...]:
    engine = LocalEngine(base)
    prompts = [framed(policy.question_prompt, item.question, item.title) for item in suite.eval_items]
    for prompt in prompts:
        must_fit(len(encode_prompt(base.tokenizer, prompt)) + policy.max_answer_tokens, engine.context, prompt)
    how = SamplingParams(
        max_new_tokens=policy.max_answer_tokens,
        temperature=SAMPLING_TEMPERATURE,
        samples=suite.samples,
        seed=SAMPLING_SEED,
        by_prompt=True,
    )
    said = engine.generate(prompts, how, adapter=adapter)
    return tuple(
        ItemScore(
            item=item.id,
            score=_mean([grade(answer, item.answers, item.question) for answer in answers]),
            answer=answers[0],
            group=item.group,
        )
        for item, answers in zip(suite.eval_items, said, strict=True)
    )


def _mean(grades: Sequence[float]) -> float:
    return sum(grades) / len(grades)
