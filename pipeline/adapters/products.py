"""What an adapter adds to a layer's weight, B A: two side by side, and the nearest of a lower rank. Pure."""

from collections.abc import Iterator

import torch

from pipeline.adapters.stack import Tensors, rank_axis

_A, _B = ".lora_A.weight", ".lora_B.weight"


def beside(one: Tensors, other: Tensors) -> dict[str, torch.Tensor]:
    """The adapter that adds what both add: its rank is the sum of theirs, and `one` comes first on both sides."""
    return {name: torch.cat([tensor, other[name].to(tensor)], dim=rank_axis(name)) for name, tensor in one.items()}


def split(tensors: Tensors, rank: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The adapters of the first so many ranks, and of all others."""
    parts = {name: torch.tensor_split(tensor, [rank], dim=rank_axis(name)) for name, tensor in tensors.items()}
    first, other = ({name: own[at].contiguous() for name, own in parts.items()} for at in (0, 1))
    return first, other


def nearest(tensors: Tensors, rank: int) -> dict[str, torch.Tensor]:
    """The adapter of this rank whose product is the nearest one in each layer (Eckart and Young 1936).

    The rows of each A are orthogonal, and as long as those of `tensors` are on average. A layer that is smaller than
    the rank gets zeros for the rest.
    """
    return dict(side for name in tensors if name.endswith(_A) for side in _nearest(tensors, name, rank))


def blended(before: Tensors, after: Tensors, share: float) -> dict[str, torch.Tensor]:
    """The adapter of `after`'s rank that is nearest to adding (1 - share) of what `before` adds and share of `after`'s.

    Blending each side by itself would not do: the product of two means is not the mean of two products.
    """
    rank = next(len(tensor) for name, tensor in after.items() if name.endswith(_A))
    return nearest(beside(scaled(before, 1 - share), scaled(after, share)), rank)


def scaled(tensors: Tensors, share: float) -> dict[str, torch.Tensor]:
    """The adapter that adds a share of what this one adds: side B is scaled."""
    return {name: tensor * share if name.endswith(_B) else tensor for name, tensor in tensors.items()}


def _padded(tensor: torch.Tensor, rank: int, axis: int) -> torch.Tensor:
    missing = rank - tensor.shape[axis]
    return torch.nn.functional.pad(tensor, (0, missing) if axis else (0, 0, 0, missing)).contiguous()


def _nearest(tensors: Tensors, name: str, rank: int) -> Iterator[tuple[str, torch.Tensor]]:
    a, b = tensors[name].double(), tensors[name.replace(_A, _B)].double()
    into, inputs = torch.linalg.qr(a.T)
    out, outputs = torch.linalg.qr(b)
    left, strengths, right = torch.linalg.svd(outputs @ inputs.T)
    # An adapter whose side A is zero adds nothing, whatever its side B: any length will do.
    length = a.norm(dim=1).mean() or a.new_ones(())
    rows = length * right[:rank] @ into.T
    columns = out @ left[:, :rank] * (strengths[:rank] / length)
    yield name, _padded(rows, rank, 0).to(tensors[name])
    yield name.replace(_A, _B), _padded(columns, rank, 1).to(tensors[name])
