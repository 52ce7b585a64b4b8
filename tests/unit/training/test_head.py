"""The head's loss and its hand-made gradient, against what autograd makes of the same formula."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div

from pipeline.training.head import Scored, head_losses

STATES, HIDDEN, WORDS = 7, 5, 11


def asked(kl_weight: float, hidden_state_weight: float) -> Scored:
    draw = torch.Generator().manual_seed(1)
    taught = torch.tensor([1, 2, 6])
    return Scored(
        targets=torch.randint(WORDS, (STATES,), generator=draw),
        weights=torch.rand(STATES, generator=draw),
        taught=taught,
        teacher=torch.randn(len(taught), HIDDEN, generator=draw),
        kl_weights=kl_weight * torch.rand(len(taught), generator=draw),
        hidden_state_weights=hidden_state_weight * torch.rand(len(taught), generator=draw),
    )


def by_autograd(head: nn.Linear, states: torch.Tensor, scored: Scored) -> torch.Tensor:
    logits = head(states)
    losses = cross_entropy(logits, scored.targets, reduction="none") * scored.weights
    chances, wanted = logits[scored.taught].log_softmax(-1), head(scored.teacher).softmax(-1).detach()
    distance = kl_div(chances, wanted, reduction="none").sum(-1)
    apart = (states[scored.taught] - scored.teacher).square().sum(-1) / scored.teacher.square().sum(-1)
    return losses.index_add(0, scored.taught, scored.kl_weights * distance + scored.hidden_state_weights * apart)


def test_losses_and_slopes_of_words_logits_and_states_are_those_of_autograd() -> None:
    torch.manual_seed(0)
    head = nn.Linear(HIDDEN, WORDS).requires_grad_(False)
    for scored in (asked(0.0, 0.0), asked(3.0, 0.0), asked(0.0, 3.0), asked(3.0, 3.0)):
        ours, theirs = (
            torch.randn(STATES, HIDDEN, generator=torch.Generator().manual_seed(2)).requires_grad_() for _ in range(2)
        )
        made, expected = head_losses(head, ours, scored), by_autograd(head, theirs, scored)
        made.sum().backward()  # type: ignore[no-untyped-call]
        expected.sum().backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(made, expected)
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_states_held_pull_where_the_logits_agree_already() -> None:
    """A state that differs only in what the head does not read: the KL is blind to it, the distance is not."""
    head = nn.Linear(HIDDEN, WORDS, bias=False)
    head.weight.data[:, -1] = 0.0
    scored = asked(0.0, 1.0)
    states = torch.zeros(STATES, HIDDEN)
    states[scored.taught] = scored.teacher
    states[scored.taught, -1] += 1.0
    near, far = scored.teacher.clone(), states[scored.taught]
    torch.testing.assert_close(head(near), head(far))
    loss = head_losses(head, states, scored) - head_losses(head, states, asked(0.0, 0.0))
    assert (loss[scored.taught] > 0).all()
