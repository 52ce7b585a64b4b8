"""An update keeps out of the directions that the base's texts use, and moves freely in all others."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.updates.spaces import Space, out_of_spaces

ALONG_FIRST = Space(directions=torch.eye(3)[:, :1], shares=torch.tensor([0.9]))


def test_what_lies_in_a_used_direction_is_taken_out_by_its_share() -> None:
    kept = ALONG_FIRST.keep_out(torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(kept, torch.tensor([[0.1, 2.0, 3.0]]))


@given(st.integers(min_value=0, max_value=999))
def test_nothing_is_ever_added_to_a_change(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(5, 3, generator=draw)).Q
    space = Space(directions=directions, shares=torch.rand(3, generator=draw))
    change = torch.randn(4, 5, generator=draw)
    assert float(space.keep_out(change).norm()) <= float(change.norm()) * (1 + 1e-5)


def test_a_fresh_adapter_leaves_the_space_and_keeps_its_size() -> None:
    start = torch.tensor([3.0, 4.0, 0.0, 7.0])
    out_of_spaces(start, {"a.lora_A.weight": (1, 3), "a.lora_B.weight": (1, 1)}, {"a.lora_A.weight": ALONG_FIRST})
    torch.testing.assert_close(start[:3].norm(), torch.tensor(5.0))
    assert abs(float(start[0])) < 0.1 * float(start[1])
    assert start[3] == 7.0
