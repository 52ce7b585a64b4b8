"""Penalises what an adapter adds to its layers' usual outputs, in every layer and without a forward pass.

MEMIT and AlphaEdit (Meng et al. 2023, arXiv 2210.07229; Fang et al. 2024, arXiv 2410.02355) solve for the change of a
weight that moves usual inputs least. Here the same quadratic term, with the covariance C of a layer's usual inputs, is
a part of the loss: the trace of D C D' for the change D = scale x B A. Its gradient is written out. Knows no data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from pipeline.adapters.attachment import transposed
from pipeline.adapters.stack import Stack, key, rank_axis
from pipeline.engines.base import BaseModel
from pipeline.recipe import TrainingRules


@dataclass(frozen=True, eq=False)
class OutputPenalty:
    """`weight` x the mean over layers of (mean square of what is added to the usual outputs / mean square of those).

    Both by PEFT's key of a layer's side A. `covariances`: C (inputs, inputs); layers of one input share theirs.
    `squares`: the trace of W C W' of the layer's weight W: of its outputs without bias. Layers where that is zero are
    left out.
    """

    weight: float
    covariances: Mapping[str, torch.Tensor]
    squares: Mapping[str, float]

    def add_gradients(self, stack: Stack, scale: float, held: Sequence[int]) -> None:
        """Adds the penalty's gradients to those of the stack's adapters, whose BA is scaled by `scale`.

        `held`: how many of each adapter's first ranks stay as they are; what those add is not penalised.
        """
        for name, square in self.squares.items():
            other = name.replace("lora_A", "lora_B")
            own_a, own_b = (_own(stack.views[one], held, rank_axis(one)) for one in (name, other))
            factor = 2.0 * self.weight * scale**2 / (square * len(self.squares))
            moved = own_a @ self.covariances[name]
            stack.grads[name].add_(own_b.mT @ own_b @ moved, alpha=factor)
            stack.grads[other].add_(own_b @ (moved @ own_a.mT), alpha=factor)


def _own(view: torch.Tensor, held: Sequence[int], axis: int) -> torch.Tensor:
    """A side of all adapters, with zeros for the ranks that are held; `axis`: of the rank in one adapter's side."""
    own = view.detach()
    if not any(held):
        return own
    own = own.clone()
    for adapter, count in enumerate(held):
        own[adapter].narrow(axis, 0, count).zero_()
    return own


def output_penalty(
    base: BaseModel, covariances: Mapping[str, torch.Tensor], rules: TrainingRules
) -> OutputPenalty | None:
    """The penalty of a base with these covariances of its layers' usual inputs; None where the rules want none."""
    if not covariances or not rules.output_penalty:
        return None
    modules, flipped = dict(base.model.named_modules()), transposed(base.model)
    squares: dict[str, float] = {}
    for layer, covariance in covariances.items():
        weight = modules[layer].weight.detach().float()
        weight = weight.T if flipped else weight
        squares[key(layer, "A")] = float((weight @ covariance * weight).sum())
    shared = {key(layer, "A"): covariance for layer, covariance in covariances.items()}
    return OutputPenalty(rules.output_penalty, shared, {name: one for name, one in squares.items() if one > 0.0})
