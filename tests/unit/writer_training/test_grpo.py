"""GRPO's arithmetic against its definition: advantages within a group, clipping, and the distance to production."""

from collections.abc import Callable

import pytest
import torch

from pipeline.writer_training.outer_loop import ScoredSample
from pipeline.writer_training.policy_gradient import token_losses
from pipeline.writer_training.selection import advantages, rate


def loss(new: float, old: float, reference: float, advantage: float, clip: float = 0.2, kl: float = 0.0) -> float:
    values = (torch.tensor([value], dtype=torch.float64) for value in (new, old, reference, advantage))
    return float(token_losses(*values, clip=clip, kl=kl)[0])


def test_advantages_are_deviations_from_the_groups_mean() -> None:
    assert advantages([0.0, 1.0]) == (pytest.approx(-1, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert sum(advantages([0.1, 0.2, 0.6])) == pytest.approx(0)


def test_a_group_of_which_all_are_alike_teaches_nothing() -> None:
    assert advantages([0.5, 0.5, 0.5]) == (0.0, 0.0, 0.0) == advantages([0.7, 0.7, 0.7])


def test_where_all_self_edits_of_a_document_taught_alike_their_lengths_do_not_decide(
    scored: Callable[..., ScoredSample],
) -> None:
    assert rate([scored("cinder", 0, 0.0, reward=-0.01), scored("cinder", 1, 0.0, reward=-0.02)]) == ()
    assert len(rate([scored("cinder", 0, 0.0), scored("cinder", 1, 0.5)])) == 2
    assert [one.advantage < 0 for one in rate([scored("cinder", 0, 0.0), scored("cinder", 1, 0.5, text="")])] == [True]


def test_the_loss_is_the_advantage_while_the_writer_is_the_one_that_wrote() -> None:
    assert loss(-1.0, -1.0, -1.0, 2.0) == pytest.approx(-2.0)


def test_a_good_token_gains_no_more_once_it_is_likelier_by_the_clip() -> None:
    assert loss(-0.5, -1.0, -1.0, 1.0) == pytest.approx(-1.2)
    now = torch.tensor([-0.5], requires_grad=True)
    token_losses(
        now, torch.tensor([-1.0]), torch.tensor([-1.0]), torch.tensor([1.0]), clip=0.2, kl=0.0
    ).sum().backward()
    assert now.grad is not None
    assert float(now.grad) == 0.0


def test_a_bad_token_that_became_likelier_is_not_clipped() -> None:
    assert loss(-0.5, -1.0, -1.0, -1.0) == pytest.approx(2.718281828**0.5)


def test_the_distance_to_the_production_model_is_never_negative_and_weighs() -> None:
    near, far = loss(-1.0, -1.0, -1.0, 0.0, kl=1.0), loss(-1.0, -1.0, -3.0, 0.0, kl=1.0)
    assert near == pytest.approx(0.0)
    assert far == pytest.approx(2.718281828**-2.0 + 2.0 - 1.0)
    assert loss(-1.0, -1.0, 1.0, 0.0, kl=1.0) > 0


def test_self_edits_are_rated_within_their_document_and_what_must_not_be_trained_on_is_left_out(
    scored: Callable[..., ScoredSample],
) -> None:
    group = [scored("a", 0, 0.2), scored("a", 1, 0.6), scored("a", 2, 0.4, leaks=True), scored("a", 3, 0.0, text="")]
    alike = [scored("b", 0, 0.9), scored("b", 1, 0.9)]
    found = {note.example.completion: note.advantage for note in rate([*group, *alike])}
    assert set(found) == {"a note 0", "a note 1"}
    assert found["a note 0"] < 0 < found["a note 1"]
