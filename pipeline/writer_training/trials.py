"""The inner loop: trains each self-edit as an adapter of its own, many at once, and asks what it taught and unlearned.

Asks validation questions only; nothing that is trained here outlives the question.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.inner_loop.evaluation import train_and_ask
from pipeline.inner_loop.reward import Evaluation
from pipeline.recipe import Recipe
from pipeline.training import TrainingJob
from pipeline.types import Checkpoint, Document, EvalItem, ModelRef
from pipeline.writer_training.samples import Sample

# Adapters that are trained and then held until they are asked.
_TOGETHER = 64

Asked = dict[str, tuple[EvalItem, ...]]


def try_samples(
    base: BaseModel,
    samples: Sequence[Sample],
    recipe: Recipe,
    *,
    eval_items: Asked,
    standing: Sequence[EvalItem],
    live: ModelRef,
    adapter: Path | None,
) -> tuple[Evaluation, ...]:
    """One trial a sample, in their order: an update from the `live` model (its `adapter`) on that sample alone.

    `eval_items` are each document's questions, by its id. A sample without anything to train on changes nothing; one
    whose training diverges answers nothing any more. Raises as `train_many` does.
    """
    documents = {sample.document.id: sample.document for sample in samples}
    with progress.quiet():
        before = _before(
            base, list(documents.values()), recipe, eval_items=eval_items, standing=standing, adapter=adapter
        )
    made: list[Evaluation] = []
    for first in range(0, len(samples), _TOGETHER):
        some = samples[first : first + _TOGETHER]
        asked = [(*eval_items[one.document.id], *standing) for one in some]
        with progress.quiet():
            learned = _learned(base, some, recipe, asked, live, adapter)
        for sample, scores in zip(some, learned, strict=True):
            known, stood = before[sample.document.id], before[""]
            after = scores if scores is not None else (*known, *stood)
            made.append(
                Evaluation(
                    before=known,
                    after=after[: len(known)],
                    standing_before=stood,
                    standing_after=after[len(known) :],
                    tokens=sample.tokens,
                    limit=recipe.self_edits.max_new_tokens * max(1, len(sample.notes)),
                )
            )
        progress.report(first + len(some), len(samples))
    return tuple(made)


def _before(
    base: BaseModel,
    documents: Sequence[Document],
    recipe: Recipe,
    *,
    eval_items: Asked,
    standing: Sequence[EvalItem],
    adapter: Path | None,
) -> dict[str, tuple[float, ...]]:
    """What the production model answers, by document; the standing questions' scores under ""."""
    asked = [(document.id, eval_item) for document in documents for eval_item in eval_items[document.id]]
    asked += [("", eval_item) for eval_item in standing]
    answers = LocalEngine(base).generate(
        [eval_item.question for _, eval_item in asked],
        SamplingParams(max_new_tokens=recipe.policy.max_answer_tokens),
        adapter=adapter,
    )
    found: dict[str, list[float]] = {key: [] for key in ("", *(document.id for document in documents))}
    for (key, eval_item), (answer,) in zip(asked, answers, strict=True):
        found[key].append(float(grade(answer, eval_item.answers)))
    return {key: tuple(scores) for key, scores in found.items()}


def _learned(
    base: BaseModel,
    samples: Sequence[Sample],
    recipe: Recipe,
    asked: Sequence[Sequence[EvalItem]],
    live: ModelRef,
    adapter: Path | None,
) -> list[tuple[float, ...] | None]:
    """Each sample's scores on what is `asked` of it; None where it holds nothing to train on."""
    taught = [place for place, sample in enumerate(samples) if sample.examples]
    groups = [_group(samples[place], recipe, live, adapter) for place in taught]
    found = dict(zip(taught, train_and_ask(base, groups, [asked[place] for place in taught], recipe), strict=True))
    return [found.get(place) for place in range(len(samples))]


def _group(sample: Sample, recipe: Recipe, live: ModelRef, adapter: Path | None) -> TrainingJob:
    return TrainingJob(
        examples=sample.examples,
        rules=sample.rules,
        parent=Checkpoint(live, adapter),
        # Samples of one document differ in their notes alone: order and first weights are drawn alike.
        seed=seed_from("practice", recipe.seed, sample.document.id),
    )
