"""The loss of a model's output head on the learned states, and its gradient, without keeping any logits.

The head is frozen, so the states' gradient is known as soon as their logits are: these are computed a piece at a time
and dropped.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

_PIECE, _ROWS = 1 << 22, 256  # logits held at once, but those of at least so many states


def states_at_once(vocabulary: int) -> int:
    """How many states' logits are held at once, in five tensors: both models' probabilities and logs, the gradient."""
    return max(_ROWS, _PIECE // vocabulary)


@dataclass(frozen=True, eq=False)
class LossTargets:
    """What the loss of M states compares them with: `targets` (M,), with the `weights` (M,) of their cross-entropies.

    `distilled` (T,): places among the M that are compared with a teacher's states, `teacher` (T, hidden). The loss
    there grows by `kl_weights` (T,) * KL(teacher || model), and by `hidden_state_weights` (T,) *
    |state - teacher|^2 / |teacher|^2.
    """

    targets: torch.Tensor
    weights: torch.Tensor
    distilled: torch.Tensor
    teacher: torch.Tensor
    kl_weights: torch.Tensor
    hidden_state_weights: torch.Tensor


def head_losses(head: Any, states: torch.Tensor, wanted: LossTargets) -> torch.Tensor:
    """The weighted loss at each of the M states (M,), float32. `head`: a plain linear layer."""
    losses: torch.Tensor = _HeadLoss.apply(states, head.weight, head.bias, wanted)  # type: ignore[no-untyped-call]
    return losses


def logit_losses(logits: torch.Tensor, wanted: LossTargets) -> torch.Tensor:
    """The same from logits (M, vocabulary), for heads that scale or cap them, which cannot be distilled."""
    each: torch.Tensor = torch.nn.functional.cross_entropy(logits.float(), wanted.targets, reduction="none")
    return each * wanted.weights


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, wanted: LossTargets
    ) -> torch.Tensor:
        losses, grads = [], []
        count = states_at_once(len(weight))
        for first in range(0, len(states), count):
            span = slice(first, first + count)
            loss, grad = _piece(states[span], weight, bias, _cut(wanted, span), ctx.needs_input_grad[0])
            losses.append(loss)
            grads.append(grad)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(torch.cat(grads))
        return torch.cat(losses)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * upstream[:, None].to(grad.dtype), None, None, None


def _piece(
    states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, wanted: LossTargets, with_grad: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses (m,) and the gradient of the states (m, hidden): softmax less the target, times its weight."""
    logprobs = linear(states, weight, bias).float().log_softmax(-1)
    losses = -logprobs.gather(1, wanted.targets[:, None])[:, 0] * wanted.weights
    total = wanted.weights
    if len(wanted.distilled):
        teacher = linear(wanted.teacher, weight, bias).float().softmax(-1)
        distance = (teacher * (teacher.clamp(min=1e-30).log() - logprobs[wanted.distilled])).sum(-1)
        losses = losses.index_add(0, wanted.distilled, distance * wanted.kl_weights)
        total = total.index_add(0, wanted.distilled, wanted.kl_weights)
        apart = states[wanted.distilled].float() - wanted.teacher.float()
        nearer = wanted.hidden_state_weights / wanted.teacher.float().square().sum(-1).clamp(min=1e-30)
        losses = losses.index_add(0, wanted.distilled, nearer * apart.square().sum(-1))
    if not with_grad:
        return losses, states
    grad = logprobs.exp_().mul_(total[:, None])
    grad.scatter_add_(1, wanted.targets[:, None], -wanted.weights[:, None])
    if len(wanted.distilled):
        grad.index_add_(0, wanted.distilled, teacher * wanted.kl_weights[:, None], alpha=-1)
    back = grad.to(weight.dtype) @ weight
    if len(wanted.distilled):
        back.index_add_(0, wanted.distilled, (2 * nearer[:, None] * apart).to(back.dtype))
    return losses, back


def _cut(wanted: LossTargets, span: slice) -> LossTargets:
    """The targets of the states within `span`."""
    inside = (wanted.distilled >= span.start) & (wanted.distilled < span.stop) if len(wanted.distilled) else slice(0)
    return LossTargets(
        targets=wanted.targets[span],
        weights=wanted.weights[span],
        distilled=wanted.distilled[inside] - span.start,
        teacher=wanted.teacher[inside],
        kl_weights=wanted.kl_weights[inside],
        hidden_state_weights=wanted.hidden_state_weights[inside],
    )
