"""What the rounds of writer training share: the split of the documents, and how a self-edit is rewarded.

A reward comes from one inner loop, scored on validation items, never on test items. Knows no ledger and no gate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import progress
from pipeline.digests import digest_of, seed_from
from pipeline.engines.base import BaseModel
from pipeline.inner_loop import EvalContext, EvalJob, Evaluation, evaluate, reward
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import Recipe, WriterTrainingRules
from pipeline.self_edits import validation_items
from pipeline.types import Checkpoint, Document, EvalItem, Example, ModelRef
from pipeline.writer_training.samples import Sample, SamplePlan, Sampler


@dataclass(frozen=True, kw_only=True)
class OuterLoop:
    """What all rounds share. `production` is the model whose writing is trained.

    Updates on single self-edits start from it; with `from_base` from the base model, for documents that production
    knows already. `standing`: items of earlier documents, which show what an update forgets. `rehearsal`: examples
    that the writer is trained on beside its self-edits. `guard`: what no self-edit may ask. `scratch`: the folder of
    the rounds' adapters. `ledger`: the digest of what production has learned, for the manifests.
    """

    base: BaseModel
    recipe: Recipe
    production: Checkpoint
    scratch: Path
    guard: TrainingGuard
    from_base: bool = False
    standing: tuple[EvalItem, ...] = ()
    rehearsal: tuple[Example, ...] = ()
    ledger: str = ""

    @property
    def start(self) -> Checkpoint:
        """The checkpoint that each update on a single self-edit starts from."""
        return Checkpoint(ModelRef(base=self.production.ref.base)) if self.from_base else self.production


@dataclass(frozen=True, kw_only=True)
class ScoredSample:
    """A sampled self-edit, the evaluation of the update on it alone, and the reward."""

    sample: Sample
    evaluation: Evaluation
    reward: float


def sample_and_score(loop: OuterLoop, documents: Sequence[Document], plan: SamplePlan) -> tuple[ScoredSample, ...]:
    """Samples self-edits of the documents and rewards each by the update on it alone.

    All updates start from the same checkpoint, so that rewards of several writers compare their self-edits only.
    """
    recipe = loop.recipe
    context = EvalContext(base=loop.base, recipe=recipe, start=loop.start, standing=loop.standing)
    items = {document.id: validation_items(document) for document in documents}
    asked = held_out_keys(item for own in items.values() for item in own)
    guard = TrainingGuard(questions=loop.guard.questions | asked)
    with progress.step("writing"):
        samples = Sampler(engine=context.engine, recipe=recipe, guard=guard, fits=context.fits).draw(documents, plan)
    with progress.step("evaluating the self-edits"):
        evaluations = evaluate(context, [_job(one, items[one.document.id], recipe) for one in samples])
    return tuple(
        ScoredSample(sample=sample, evaluation=found, reward=reward(found, recipe.writer_training))
        for sample, found in zip(samples, evaluations, strict=True)
    )


def _job(sample: Sample, items: tuple[EvalItem, ...], recipe: Recipe) -> EvalJob:
    return EvalJob(
        examples=sample.examples,
        rules=sample.rules,
        # Samples of one document differ in their self-edits alone: order and first weights are drawn alike.
        seed=seed_from("practice", recipe.seed, sample.document.id),
        items=items,
        tokens=sample.tokens,
        limit=recipe.self_edits.max_new_tokens * max(1, len(sample.self_edits)),
    )


def held_out_samples(
    loop: OuterLoop, documents: Sequence[Document], writer: Checkpoint, *, explore: bool = False
) -> tuple[ScoredSample, ...]:
    """One self-edit by `writer` about each document, with the scores on its validation items after an update on it.

    A document whose title leaves no room for a self-edit is left out.
    """
    return sample_and_score(loop, documents, SamplePlan(writer=writer, samples=1, number=0, explore=explore))


def held_out_scores(
    loop: OuterLoop, documents: Sequence[Document], writer: Checkpoint, *, explore: bool = False
) -> tuple[tuple[Document, tuple[float, ...]], ...]:
    """Each document with those scores alone."""
    found = held_out_samples(loop, documents, writer, explore=explore)
    return tuple((one.sample.document, one.evaluation.after) for one in found)


@dataclass(frozen=True, kw_only=True)
class DocumentSplit:
    """Documents to train the writer on, and held-out ones; `known`: production has learned them already."""

    train: tuple[Document, ...]
    held_out: tuple[Document, ...]
    known: bool

    @property
    def questions(self) -> tuple[EvalItem, ...]:
        """Every validation item of both parts: no self-edit may ask one."""
        return tuple(item for document in (*self.train, *self.held_out) for item in validation_items(document))


def divide(documents: Sequence[Document], rules: WriterTrainingRules, seed: int, *, known: bool) -> DocumentSplit:
    """Holds out `rules.held_out` documents, at most half of them; those without validation items are left out.

    The split depends on the seed and on the set of documents, not on their order.
    """
    usable = {document.id: document for document in documents if validation_items(document)}
    order = sorted(usable, key=lambda key: digest_of("practice ground", seed, key))
    count = min(rules.held_out, len(order) // 2)
    return DocumentSplit(
        train=tuple(usable[key] for key in order[count:]),
        held_out=tuple(usable[key] for key in order[:count]),
        known=known,
    )


def documents_of_round(documents: Sequence[Document], number: int, count: int) -> tuple[Document, ...]:
    """The `count` documents of round `number` (from 1): those after the last round's, cyclically."""
    few = min(count, len(documents))
    return tuple(documents[((number - 1) * few + place) % len(documents)] for place in range(few))


def documents_of_rounds(documents: Sequence[Document], rules: WriterTrainingRules) -> tuple[Document, ...]:
    """The documents of all rounds, each once."""
    rounds = range(1, rules.rounds + 1)
    return tuple(
        dict.fromkeys(one for number in rounds for one in documents_of_round(documents, number, rules.documents))
    )
