"""AdamW for a stack of adapters, each with its own learning rate, clipping and weight decay. Knows no model."""

from collections.abc import Sequence

import torch

from pipeline.adapters.stack import Stack
from pipeline.recipe import TrainingRules


class Optimiser:
    """PyTorch's fused AdamW on the gradients of a stack, with one parameter group an adapter."""

    def __init__(self, stack: Stack, rules: Sequence[TrainingRules]) -> None:
        self._stack, self._rules = stack, tuple(rules)
        self._rows = [stack.flat[adapter] for adapter in range(len(stack))]
        groups = [
            {"params": [row], "lr": rule.learning_rate, "weight_decay": rule.weight_decay}
            for row, rule in zip(self._rows, rules, strict=True)
        ]
        self._adam = torch.optim.AdamW(groups, fused=True)
        self._limits = torch.tensor([rule.clip_norm for rule in rules], device=stack.flat.device)
        for row, gradient in zip(self._rows, stack.gradients, strict=True):
            row.grad = gradient

    def step(self, shares: Sequence[float]) -> None:
        """Clips each adapter's gradient, steps with its share of its learning rate, and zeroes the gradients."""
        gradients = self._stack.gradients
        gradients.mul_((self._limits / (gradients.norm(dim=1) + 1e-6)).clamp(max=1.0)[:, None])
        for group, rule, share in zip(self._adam.param_groups, self._rules, shares, strict=True):
            group["lr"] = rule.learning_rate * share
        self._adam.step()
        gradients.zero_()

    def keep(self, stack: Stack, adapters: Sequence[int]) -> "Optimiser":
        """The optimiser of `stack`, which holds these `adapters` of this one's stack, with their state."""
        kept = Optimiser(stack, [self._rules[adapter] for adapter in adapters])
        for row, adapter in zip(kept._rows, adapters, strict=True):
            kept._adam.state[row] = self._adam.state[self._rows[adapter]]
        return kept


def lr_schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate at a step: linear from zero over the warm-up, then linear down to nearly zero."""
    rising = max(1, round(warmup * steps))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising + 1)
