"""AdamW for a stack of adapters: each has its own rate, clipping, decay and spaces to keep out of. Knows no model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.adapters.stack import Stack
from pipeline.recipe import TrainingRules
from pipeline.updates.spaces import Spaces

if TYPE_CHECKING:
    import torch


class Optimiser:
    """PyTorch's fused AdamW with a parameter group an adapter, on the gradients of a stack."""

    def __init__(self, stack: Stack, rules: Sequence[TrainingRules], spaces: Sequence[Spaces | None]) -> None:
        import torch

        self._stack, self._rules, self._spaces = stack, tuple(rules), tuple(spaces)
        self._rows = [stack.flat[lane] for lane in range(stack.lanes)]
        groups = [
            {"params": [row], "lr": rule.learning_rate, "weight_decay": rule.weight_decay}
            for row, rule in zip(self._rows, rules, strict=True)
        ]
        self._adam = torch.optim.AdamW(groups, fused=True)
        self._limits = torch.tensor([rule.clip_norm for rule in rules], device=stack.flat.device)
        for row, gradient in zip(self._rows, stack.gradients, strict=True):
            row.grad = gradient

    def step(self, shares: Sequence[float]) -> None:
        """Clips each adapter's gradient, moves it by its share of its learning rate, and empties the gradients."""
        gradients = self._stack.gradients
        gradients.mul_((self._limits / (gradients.norm(dim=1) + 1e-6)).clamp(max=1.0)[:, None])
        for group, rule, share in zip(self._adam.param_groups, self._rules, shares, strict=True):
            group["lr"] = rule.learning_rate * share
        before = self._kept_out()
        self._adam.step()
        self._keep_out(before)
        gradients.zero_()

    def _kept_out(self) -> "dict[tuple[int, str], torch.Tensor]":
        """Copies of what a space limits, by lane and key: each A of an adapter that has spaces."""
        return {
            (lane, name): self._stack.views[name][lane].detach().clone()
            for lane, spaces in enumerate(self._spaces)
            for name in spaces or {}
        }

    def _keep_out(self, before: "Mapping[tuple[int, str], torch.Tensor]") -> None:
        """Takes what the step changed of each A out of its space. After Adam, whose scaling would turn it back in."""
        for (lane, name), old in before.items():
            spaces = self._spaces[lane] or {}
            now = self._stack.views[name].detach()[lane]
            now.copy_(old + spaces[name].keep_out(now - old))

    def keep(self, stack: Stack, lanes: Sequence[int]) -> "Optimiser":
        """The optimiser of `stack`, which holds the adapters `lanes` of this one's, with their state."""
        kept = Optimiser(stack, [self._rules[lane] for lane in lanes], [self._spaces[lane] for lane in lanes])
        for row, lane in zip(kept._rows, lanes, strict=True):
            kept._adam.state[row] = self._adam.state[self._rows[lane]]
        return kept


def lr_schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate: linear from zero over the warm-up, then linear down to nearly zero."""
    rising = max(1, round(warmup * steps))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising + 1)
