"""Trains an adapter on each set of examples and scores it on eval items (SEAL, arXiv 2506.10943, section 3.1).

Adapters are trained and scored side by side, stay in memory and are dropped once scored. Knows no self-edit and no
document.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline import progress
from pipeline.engines import SamplingParams, fits_context
from pipeline.engines.base import BaseModel
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.inner_loop.rewards import Evaluation
from pipeline.prompts import framed
from pipeline.recipe import Recipe, TrainingRules
from pipeline.training import TrainingJob, score_many, train_many
from pipeline.types import Checkpoint, EvalItem, Example

_TOGETHER = 64  # adapters trained in one call and held in memory until they are scored

Scores = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class EvalJob:
    """One update to evaluate: what it trains on and by which rules, the seed of its order and first weights.

    `items` are the eval items that its adapter is scored on; `tokens` and `limit` as in `Evaluation`.
    """

    examples: tuple[Example, ...]
    rules: TrainingRules
    seed: int
    items: tuple[EvalItem, ...]
    tokens: int = 0
    limit: int = 1


@dataclass(frozen=True, kw_only=True)
class EvalContext:
    """What the jobs share: base model, recipe, the checkpoint that each update starts from.

    `standing`: items that every adapter is scored on besides its job's own, to see what the update forgets.
    """

    base: BaseModel
    recipe: Recipe
    start: Checkpoint
    standing: tuple[EvalItem, ...] = ()

    @cached_property
    def engine(self) -> LocalEngine:
        """Generates with the base model in this process."""
        return LocalEngine(self.base)

    @cached_property
    def fits(self) -> Callable[[Example], bool]:
        """Whether an example is short enough to be trained on by the recipe's training rules."""
        return fits_context(self.engine, self.recipe.training)


def evaluate(context: EvalContext, jobs: Sequence[EvalJob], *, measure_before: bool = True) -> tuple[Evaluation, ...]:
    """Trains each job's adapter from `context.start` and scores it on the job's items and the standing items.

    `measure_before`: also score the start checkpoint, once for each distinct set of items. A job without examples
    scores after as before; an adapter whose training diverged scores 0 on every item. Reports progress in jobs.
    Raises as `train_many` and `score_many` do.
    """
    with progress.quiet():
        before = _scores_before(context, jobs) if jobs and measure_before else {}
    standing = before.get(context.standing, ())
    found: list[Evaluation] = []
    for first in range(0, len(jobs), _TOGETHER):
        batch = jobs[first : first + _TOGETHER]
        with progress.quiet():
            after = _scores_after(context, batch)
        for place, job in enumerate(batch):
            own, count = before.get(job.items, ()), len(job.items)
            scores = after.get(place, (*own, *standing))
            found.append(
                Evaluation(
                    before=own,
                    after=scores[:count],
                    standing_before=standing,
                    standing_after=scores[count:],
                    tokens=job.tokens,
                    limit=job.limit,
                )
            )
        progress.report(len(found), len(jobs))
    return tuple(found)


def _scores_before(context: EvalContext, jobs: Sequence[EvalJob]) -> dict[tuple[EvalItem, ...], Scores]:
    """The start checkpoint's scores by set of items; all are answered in one call."""
    groups = dict.fromkeys((*(job.items for job in jobs), context.standing))
    asked = [item for group in groups for item in group]
    answers = context.engine.generate(
        [framed(context.recipe.policy.question_prompt, item.question, item.title) for item in asked],
        SamplingParams(max_new_tokens=context.recipe.policy.max_answer_tokens),
        adapter=context.start.folder,
    )
    scores = iter(
        [float(grade(answer, item.answers, item.question)) for item, (answer,) in zip(asked, answers, strict=True)]
    )
    return {group: tuple(next(scores) for _ in group) for group in groups}


def _scores_after(context: EvalContext, batch: Sequence[EvalJob]) -> dict[int, Scores]:
    """The scores of the jobs that have examples, by their place in the batch."""
    asked = {place: (*job.items, *context.standing) for place, job in enumerate(batch) if job.examples}
    if not asked:
        return {}
    training = [
        TrainingJob(examples=job.examples, rules=job.rules, seed=job.seed, parent=context.start)
        for job in batch
        if job.examples
    ]
    results = train_many(context.base, training)
    adapters = {
        place: result.tensors for place, result in zip(asked, results, strict=True) if math.isfinite(result.final_loss)
    }
    scores: dict[int, Scores] = {place: (0.0,) * len(items) for place, items in asked.items()}
    if adapters:
        found = score_many(
            context.base,
            list(adapters.values()),
            [asked[place] for place in adapters],
            context.recipe.training,
            max_new_tokens=context.recipe.policy.max_answer_tokens,
            question_prompt=context.recipe.policy.question_prompt,
        )
        scores |= zip(adapters, found, strict=True)
    return scores
