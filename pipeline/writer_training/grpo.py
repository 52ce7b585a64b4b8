"""GRPO's arithmetic (Shao et al. 2024, arXiv 2402.03300): advantages within a group, and the clipped loss of a token.

Pure; knows no model. ADR 11 says why it is not TRL's trainer.
"""

from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_SMALLEST = 1e-4


def advantages(rewards: Sequence[float]) -> tuple[float, ...]:
    """How much better each of a group's rewards is than their mean, in standard deviations; zeros where all agree."""
    if max(rewards) - min(rewards) < _SMALLEST:
        return (0.0,) * len(rewards)
    mean, spread = fmean(rewards), pstdev(rewards)
    return tuple((reward - mean) / (spread + _SMALLEST) for reward in rewards)


def token_losses(
    now: "torch.Tensor",
    before: "torch.Tensor",
    live: "torch.Tensor",
    advantage: "torch.Tensor",
    *,
    clip: float,
    kl: float,
) -> "torch.Tensor":
    """The loss of each token (N,) from its log-chances under the writer as it is `now`, as it wrote (`before`) and the

    `live` model's, and the advantage of its note (N,): the clipped surrogate, and `kl` times the distance to the live
    model by Schulman's estimator k3, which is never negative and unbiased.
    """
    ratio = (now - before).exp()
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    gained = (ratio * advantage).minimum(clipped * advantage)
    away = live - now
    return kl * (away.exp() - away - 1.0) - gained
