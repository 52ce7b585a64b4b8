"""The loss of a model's output head on the states that are scored, and its gradient, without keeping any logits.

Imported where it is used only: it needs torch. The head is frozen, so the gradient of the states is known as soon as
the logits are: they are made a piece at a time and dropped.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

_PIECE, _ROWS = 1 << 22, 256  # logits held at once, but those of so many states at least


def states_at_once(vocabulary: int) -> int:
    """How many states' logits are held at once, five times: two models' chances, their logs, and the grads."""
    return max(_ROWS, _PIECE // vocabulary)


@dataclass(frozen=True, eq=False)
class Scored:
    """What is asked of M states: `targets` (M,), the weight of each one's cross-entropy (M,), and what a teacher says.

    `taught` (T,) are the places among the M that are compared with the teacher's states (T, hidden). The loss there
    grows by `kl_weights` (T,) * KL(teacher || model), and by `hidden_state_weights` (T,) * |state - teacher's|^2 /
    |teacher's|^2.
    """

    targets: torch.Tensor
    weights: torch.Tensor
    taught: torch.Tensor
    teacher: torch.Tensor
    kl_weights: torch.Tensor
    hidden_state_weights: torch.Tensor


def head_losses(head: Any, states: torch.Tensor, scored: Scored) -> torch.Tensor:
    """The weighted loss at each of the M states (M,), float32. `head` is a linear layer without more to it."""
    made: torch.Tensor = _HeadLoss.apply(states, head.weight, head.bias, scored)  # type: ignore[no-untyped-call]
    return made


def logit_losses(logits: torch.Tensor, scored: Scored) -> torch.Tensor:
    """The same from logits (M, vocabulary) themselves, for heads that scale or cap them. No teacher is heard."""
    each: torch.Tensor = torch.nn.functional.cross_entropy(logits.float(), scored.targets, reduction="none")
    return each * scored.weights


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, scored: Scored
    ) -> torch.Tensor:
        losses, grads = [], []
        count = states_at_once(len(weight))
        for first in range(0, len(states), count):
            span = slice(first, first + count)
            loss, grad = _piece(states[span], weight, bias, _cut(scored, span), ctx.needs_input_grad[0])
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
    states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, scored: Scored, sloping: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses (m,) and the gradient of the states (m, hidden): softmax less the target, times its weight."""
    logprobs = linear(states, weight, bias).float().log_softmax(-1)
    losses = -logprobs.gather(1, scored.targets[:, None])[:, 0] * scored.weights
    total = scored.weights
    if len(scored.taught):
        wanted = linear(scored.teacher, weight, bias).float().softmax(-1)
        distance = (wanted * (wanted.clamp(min=1e-30).log() - logprobs[scored.taught])).sum(-1)
        losses = losses.index_add(0, scored.taught, distance * scored.kl_weights)
        total = total.index_add(0, scored.taught, scored.kl_weights)
        apart = states[scored.taught].float() - scored.teacher.float()
        nearer = scored.hidden_state_weights / scored.teacher.float().square().sum(-1).clamp(min=1e-30)
        losses = losses.index_add(0, scored.taught, nearer * apart.square().sum(-1))
    if not sloping:
        return losses, states
    grad = logprobs.exp_().mul_(total[:, None])
    grad.scatter_add_(1, scored.targets[:, None], -scored.weights[:, None])
    if len(scored.taught):
        grad.index_add_(0, scored.taught, wanted * scored.kl_weights[:, None], alpha=-1)
    back = grad.to(weight.dtype) @ weight
    if len(scored.taught):
        back.index_add_(0, scored.taught, (2 * nearer[:, None] * apart).to(back.dtype))
    return losses, back


def _cut(scored: Scored, span: slice) -> Scored:
    """What is asked of the states within `span`."""
    inside = (scored.taught >= span.start) & (scored.taught < span.stop) if len(scored.taught) else slice(0)
    return Scored(
        targets=scored.targets[span],
        weights=scored.weights[span],
        taught=scored.taught[inside] - span.start,
        teacher=scored.teacher[inside],
        kl_weights=scored.kl_weights[inside],
        hidden_state_weights=scored.hidden_state_weights[inside],
    )
