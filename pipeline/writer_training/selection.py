"""Which of a round's scored self-edits the writer is trained on, and with what weight. Pure; knows no model.

ReST-EM (Singh et al. 2023, arXiv 2312.06585; SEAL, section 3.1) keeps those of the best reward. GRPO (Shao et al. 2024,
arXiv 2402.03300) weighs all of them by their advantage within the group of one document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from pipeline.digests import digest_of
from pipeline.recipe import Recipe
from pipeline.types import Example, ModelRef, Update, UpdatePlan
from pipeline.writer_training.outer_loop import ScoredSample

_SMALLEST = 1e-4


@dataclass(frozen=True, kw_only=True)
class RatedExample:
    """A writing example with its advantage among the self-edits of its document."""

    example: Example
    advantage: float


def advantages(rewards: Sequence[float]) -> tuple[float, ...]:
    """A group's rewards minus their mean, in standard deviations; zeros where all are equal."""
    if max(rewards) - min(rewards) < _SMALLEST:
        return (0.0,) * len(rewards)
    mean, spread = fmean(rewards), pstdev(rewards)
    return tuple((reward - mean) / (spread + _SMALLEST) for reward in rewards)


def rate(scored: Sequence[ScoredSample]) -> tuple[RatedExample, ...]:
    """The writing examples of a round with their advantages, where these are not zero.

    Groups whose self-edits all had the same gain and forgetting are left out: their length alone would decide. So are
    self-edits that ask a held-out question, however low their reward: the writer would be trained on that question.
    """
    groups: dict[str, list[ScoredSample]] = {}
    for one in scored:
        groups.setdefault(one.sample.document.id, []).append(one)
    return tuple(
        RatedExample(example=example, advantage=advantage)
        for group in groups.values()
        if len({(one.evaluation.gain, one.evaluation.forgotten) for one in group}) > 1
        for one, advantage in zip(group, advantages([one.reward for one in group]), strict=True)
        if advantage and not one.sample.leaks
        for example in one.sample.writing
    )


def plan_policy(parent: ModelRef, rated: Sequence[RatedExample], recipe: Recipe) -> UpdatePlan:
    """The update of the production model on the examples of all rounds so far, with whatever advantage.

    The contamination gate searches all of them.
    """
    update = Update(
        parent=parent,
        self_edits=(),
        recipe=recipe.digest,
        seed=recipe.seed,
        examples_digest=digest_of("practice", "grpo", [[one.example.id, one.advantage] for one in rated]),
    )
    examples = {one.example.id: one.example for one in rated}
    return UpdatePlan(update=update, examples=tuple(examples.values()))


def keep_best(scored: Sequence[ScoredSample], keep: int, best: float = 1.0) -> tuple[ScoredSample, ...]:
    """Of each document's `keep` best self-edits the `best` share over all documents (at least one), in their order.

    Only those with a positive gain and reward that passed the screening and ask no held-out question. Of equal
    rewards the shorter is better, then the first.
    """
    by_document: dict[str, list[ScoredSample]] = {}
    for one in scored:
        if _helped(one):
            by_document.setdefault(one.sample.document.id, []).append(one)
    kept = [one for own in by_document.values() for one in sorted(own, key=_rank)[:keep]]
    learned = sorted(range(len(kept)), key=lambda place: _rank(kept[place]))[: max(1, round(best * len(kept)))]
    return tuple(kept[place] for place in sorted(learned))


def _helped(one: ScoredSample) -> bool:
    sample = one.sample
    usable = sample.usable and bool(sample.writing) and not sample.leaks
    return usable and one.evaluation.gain > 0 and one.reward > 0


def _rank(one: ScoredSample) -> tuple[float, int, int]:
    return -one.reward, one.evaluation.tokens, one.sample.number


def plan_writer(
    parent: ModelRef, kept: Sequence[ScoredSample], rehearsal: Sequence[Example], recipe: Recipe, seed: int
) -> UpdatePlan:
    """The update of the production model on the writing examples that a round kept, and on the rehearsal.

    It names no self-edit of the ledger: documents of writer training are not learned, and never replayed.
    """
    pairs = [example for one in kept for example in one.sample.writing]
    examples = tuple({example.id: example for example in (*pairs, *rehearsal)}.values())
    ordered = tuple(sorted(examples, key=lambda example: digest_of("order", seed, example.id)))
    update = Update(
        parent=parent,
        self_edits=(),
        examples_digest=digest_of("practice", "rest-em", [[example.id, example.role] for example in ordered]),
        recipe=recipe.digest,
        seed=seed,
    )
    return UpdatePlan(update=update, examples=ordered)
