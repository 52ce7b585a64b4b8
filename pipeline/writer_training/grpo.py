"""GRPO (Shao et al. 2024, arXiv 2402.03300): advantages within a group, and the clipped loss of a token. No model.

ADR 11 says why it is not TRL's trainer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

import torch

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

    Without groups whose self-edits all taught alike, in which length alone would decide. Without self-edits that ask
    a held-out question, however low their reward: the writer would be trained on them.
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


def token_losses(
    new: torch.Tensor,
    old: torch.Tensor,
    reference: torch.Tensor,
    advantage: torch.Tensor,
    *,
    clip: float,
    kl: float,
) -> torch.Tensor:
    """The loss of each token, float of shape (tokens,): the clipped surrogate, and `kl` times the KL to the reference.

    `new`, `old` and `reference` are logprobs (tokens,) by the writer as it is, by the writer that sampled, and by the
    production model; `advantage` is (tokens,). The KL is Schulman's estimator k3: unbiased and never negative.
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    surrogate = (ratio * advantage).minimum(clipped * advantage)
    distance = reference - new
    return kl * (distance.exp() - distance - 1.0) - surrogate
