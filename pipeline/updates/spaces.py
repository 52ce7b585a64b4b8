"""Which directions of a layer's inputs the base's own texts use: an update is kept out of them, as far as is wanted.

Null-space projection (AlphaEdit, Fang et al. 2024, arXiv 2410.02355), softened and put on LoRA: what a step changes in
A is multiplied by P = lambda (C + lambda)^-1, where C is the covariance of the layer's inputs on texts of the base, and
lambda is `softness` times its mean eigenvalue. What the base knows passes A as before; what is new does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.adapters.stack import Shapes, key
from pipeline.adapters.targets import linear_layers

if TYPE_CHECKING:
    import torch

    from pipeline.engines.base import BaseModel

_TEXTS = 512
_TOKENS = 2048  # inputs kept of a layer, evenly over the texts: memory stays bounded where layers are wide


@dataclass(frozen=True, eq=False)
class Space:
    """The directions (inputs, k) that a layer's inputs use, and how much of each is taken out of a change (k,)."""

    directions: "torch.Tensor"
    shares: "torch.Tensor"

    def keep_out(self, change: "torch.Tensor") -> "torch.Tensor":
        """A change of A (rank, inputs) without what lies in the space."""
        return change - (change @ self.directions * self.shares) @ self.directions.T


Spaces = Mapping[str, Space]


def spaces_of(base: "BaseModel", texts: "Sequence[Sequence[int]]", targets: tuple[str, ...], softness: float) -> Spaces:
    """The space of each adapted layer by the key of its A, from the texts' token ids. The base carries no adapter."""
    inputs = inputs_of(base, texts[:: -(-len(texts) // _TEXTS)], targets)
    return {key(layer, "A"): _space(rows, softness) for layer, rows in inputs.items()}


def held_bytes(spaces: Spaces) -> int:
    """Memory that the spaces take."""
    return sum(space.directions.nbytes + space.shares.nbytes for space in spaces.values())


def out_of_spaces(start: "torch.Tensor", shapes: Shapes, spaces: Spaces) -> None:
    """Takes a fresh adapter's A out of the spaces, in place, its size as before: B would else read them."""
    place = 0
    for name, (rows, columns) in shapes.items():
        if name in spaces:
            view = start[place : place + rows * columns].view(rows, columns)
            kept = spaces[name].keep_out(view.to(spaces[name].directions.device)).to(view.device)
            view.copy_(kept * (view.norm() / kept.norm().clamp(min=1e-12)))
        place += rows * columns


def inputs_of(
    base: "BaseModel", texts: "Sequence[Sequence[int]]", targets: tuple[str, ...]
) -> "dict[str, torch.Tensor]":
    """About _TOKENS inputs (n, inputs) of each layer at most, drawn from all tokens; each text is run by itself."""
    import torch

    names, modules = tuple(linear_layers(base.model, targets)), dict(base.model.named_modules())
    share, draw = min(1.0, _TOKENS / sum(map(len, texts))), torch.Generator().manual_seed(0)
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in names}

    def keep(name: str, given: torch.Tensor) -> None:
        rows = given.detach().flatten(0, -2)
        seen[name].append(rows[torch.rand(len(rows), generator=draw) <= share].float())

    hooks = [
        modules[name].register_forward_pre_hook(lambda _, given, name=name: keep(name, given[0])) for name in names
    ]
    try:
        with torch.no_grad():
            for ids in texts:
                base.model(input_ids=torch.tensor([list(ids)], device=base.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(rows) for name, rows in seen.items()}


def _space(rows: "torch.Tensor", softness: float) -> Space:
    """P of inputs (n, inputs) by their singular vectors: the directions that carry nothing need no storing."""
    import torch

    _, singular, directions = torch.linalg.svd(rows, full_matrices=False)
    spread = singular.square() / len(rows)
    limit = softness * spread.sum() / rows.shape[1]
    return Space(directions=directions.T.contiguous(), shares=spread / (spread + limit))
