"""The head's loss and its hand-made gradient, against what autograd makes of the same formula."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div

from pipeline.training.head import LossTargets, head_losses

STATES, HIDDEN, WORDS = 7, 5, 11


def targets_with(kl_weight: float, hidden_state_weight: float) -> LossTargets:
    draw = torch.Generator().manual_seed(1)
    distilled = torch.tensor([1, 2, 6])
    return LossTargets(
        targets=torch.randint(WORDS, (STATES,), generator=draw),
        weights=torch.rand(STATES, generator=draw),
        distilled=distilled,
        teacher=torch.randn(len(distilled), HIDDEN, generator=draw),
        kl_weights=kl_weight * torch.rand(len(distilled), generator=draw),
        hidden_state_weights=hidden_state_weight * torch.rand(len(distilled), generator=draw),
    )


def by_autograd(head: nn.Linear, states: torch.Tensor, wanted: LossTargets) -> torch.Tensor:
    logits = head(states)
    losses = cross_entropy(logits, wanted.targets, reduction="none") * wanted.weights
    logprobs, teacher = logits[wanted.distilled].log_softmax(-1), head(wanted.teacher).softmax(-1).detach()
    distance = kl_div(logprobs, teacher, reduction="none").sum(-1)
    apart = (states[wanted.distilled] - wanted.teacher).square().sum(-1) / wanted.teacher.square().sum(-1)
    return losses.index_add(0, wanted.distilled, wanted.kl_weights * distance + wanted.hidden_state_weights * apart)


def test_losses_and_gradients_of_words_logits_and_states_are_those_of_autograd() -> None:
    torch.manual_seed(0)
    head = nn.Linear(HIDDEN, WORDS).requires_grad_(False)
    for wanted in (targets_with(0.0, 0.0), targets_with(3.0, 0.0), targets_with(0.0, 3.0), targets_with(3.0, 3.0)):
        ours, theirs = (
            torch.randn(STATES, HIDDEN, generator=torch.Generator().manual_seed(2)).requires_grad_() for _ in range(2)
        )
        made, expected = head_losses(head, ours, wanted), by_autograd(head, theirs, wanted)
        made.sum().backward()  # type: ignore[no-untyped-call]
        expected.sum().backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(made, expected)
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_distilled_states_are_moved_where_the_logits_agree_already() -> None:
    """A state that differs only in what the head does not read: the KL is blind to it, the distance is not."""
    head = nn.Linear(HIDDEN, WORDS, bias=False)
    head.weight.data[:, -1] = 0.0
    wanted = targets_with(0.0, 1.0)
    states = torch.zeros(STATES, HIDDEN)
    states[wanted.distilled] = wanted.teacher
    states[wanted.distilled, -1] += 1.0
    near, far = wanted.teacher.clone(), states[wanted.distilled]
    torch.testing.assert_close(head(near), head(far))
    loss = head_losses(head, states, wanted) - head_losses(head, states, targets_with(0.0, 0.0))
    assert (loss[wanted.distilled] > 0).all()
