"""What adapters add is blended, put side by side and brought to a rank as products, not as two factors."""

import pytest
import torch

from pipeline.adapters.products import beside, blended, nearest, scaled

A, B = "base_model.model.layer.lora_A.weight", "base_model.model.layer.lora_B.weight"


def adapter(seed: int, rank: int = 3, inputs: int = 7, outputs: int = 5) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {A: torch.randn(rank, inputs, generator=draw), B: torch.randn(outputs, rank, generator=draw)}


def adds(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return tensors[B] @ tensors[A]


def test_two_side_by_side_add_what_both_add() -> None:
    assert torch.allclose(adds(beside(adapter(1), adapter(2))), adds(adapter(1)) + adds(adapter(2)), atol=1e-5)


def test_what_has_the_rank_already_is_kept_whole() -> None:
    doubled = beside(adapter(1), scaled(adapter(1), 0.5))
    found = nearest(doubled, 3)
    assert (found[A].shape, found[B].shape) == ((3, 7), (5, 3))
    assert torch.allclose(adds(found), 1.5 * adds(adapter(1)), atol=1e-5)


def test_the_nearest_of_a_lower_rank_loses_the_weakest_directions_alone() -> None:
    whole = adds(adapter(1))
    error = torch.linalg.svdvals(whole)[1:].square().sum().sqrt()
    assert float((whole - adds(nearest(adapter(1), 1))).norm()) == pytest.approx(float(error), rel=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_blend_of_an_adapter_and_one_that_shares_its_inputs_is_exact(share: float) -> None:
    before = adapter(1)
    after = {A: before[A], B: adapter(2)[B]}
    wanted = torch.lerp(adds(before), adds(after), share)
    assert torch.allclose(adds(blended(before, after, share)), wanted, atol=1e-5)


def test_a_layer_smaller_than_the_rank_gets_zeros() -> None:
    small = adapter(1, rank=6, inputs=4, outputs=4)
    found = nearest(beside(small, adapter(2, rank=6, inputs=4, outputs=4)), 6)
    assert (found[A].shape, found[B].shape) == ((6, 4), (4, 6))
    assert not found[A][4:].any()
    assert torch.isfinite(adds(found)).all()


@pytest.mark.parametrize("side", [A, B])
def test_an_adapter_that_adds_nothing_stays_so(side: str) -> None:
    none = {**adapter(1), side: torch.zeros_like(adapter(1)[side])}
    assert torch.equal(adds(nearest(none, 3)), torch.zeros(5, 7))
