"""Penalises what an adapter adds to its layers' usual outputs, in every layer and without a forward pass.

MEMIT and AlphaEdit (Meng et al. 2023, arXiv 2210.07229; Fang et al. 2024, arXiv 2410.02355) solve for the change of a
weight that moves usual inputs least. Here the same quadratic term, with the covariance C of a layer's usual inputs, is
a part of the loss: the trace of D C D' for the change D = scale x B A. Its gradient is written out. Knows no data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from pipeline.adapters.attachment import transposed
from pipeline.adapters.stack import Stack, key
from pipeline.engines.base import BaseModel
from pipeline.recipe import TrainingRules


@dataclass(frozen=True, eq=False)
class OutputPenalty:
    """`weight` x the mean over layers of (mean square of what is added to the usual outputs / mean square of those).

    `covariances`: C (inputs, inputs) of each layer by PEFT's key of its side A, divided by the trace of W C W' of its
    weight W.
    """

    weight: float
    covariances: Mapping[str, torch.Tensor]

    def add_gradients(self, stack: Stack, scale: float, held: Sequence[int]) -> None:
        """Adds the penalty's gradients to those of the stack's adapters, whose BA is scaled by `scale`.

        `held`: how many of each adapter's first ranks stay as they are; what those add is not penalised.
        """
        factor = 2.0 * self.weight * scale**2 / len(self.covariances)
        for name, covariance in self.covariances.items():
            other = name.replace("lora_A", "lora_B")
            own_a, own_b = stack.views[name].detach().clone(), stack.views[other].detach().clone()
            for adapter, count in enumerate(held):
                own_a[adapter, :count], own_b[adapter, :, :count] = 0.0, 0.0
            moved = own_a @ covariance
            stack.grads[name].add_(own_b.mT @ own_b @ moved, alpha=factor)
            stack.grads[other].add_(own_b @ (moved @ own_a.mT), alpha=factor)


def output_penalty(
    base: BaseModel, covariances: Mapping[str, torch.Tensor], rules: TrainingRules
) -> OutputPenalty | None:
    """The penalty of a base with these covariances of its layers' usual inputs; None where the rules want none."""
    if not covariances or not rules.output_penalty:
        return None
    modules, flipped = dict(base.model.named_modules()), transposed(base.model)
    relative: dict[str, torch.Tensor] = {}
    for layer, covariance in covariances.items():
        weight = modules[layer].weight.detach().float()
        weight = weight.T if flipped else weight
        relative[key(layer, "A")] = covariance / (weight @ covariance * weight).sum()
    return OutputPenalty(rules.output_penalty, relative)
