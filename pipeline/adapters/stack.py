"""The parameters of K LoRA adapters as one tensor, a row each, and their gradients likewise. Knows no module."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

Shapes = Mapping[str, tuple[int, int]]
Tensors = Mapping[str, torch.Tensor]


def key(layer: str, side: str) -> str:
    """The name by which PEFT saves side A or B of a layer's adapter."""
    return f"base_model.model.{layer}.lora_{side}.weight"


def rank_axis(name: str) -> int:
    """The axis of the rank in the tensor of that name: rows of side A, columns of side B."""
    return 0 if name.endswith("lora_A.weight") else 1


def shapes_of(layers: Mapping[str, tuple[int, int]], rank: int) -> dict[str, tuple[int, int]]:
    """Rows and columns of each A (rank, inputs) and B (outputs, rank), by PEFT's keys, in the model's order."""
    shapes: dict[str, tuple[int, int]] = {}
    for name, (inputs, outputs) in layers.items():
        shapes |= {key(name, "A"): (rank, inputs), key(name, "B"): (outputs, rank)}
    return shapes


@dataclass(frozen=True, eq=False)
class Stack:
    """K adapters: `flat` and `gradients` are (K, parameters); `views` `grads` their parts by key: (K, rows, columns).

    One row holds a whole adapter, so that its clipping and its optimiser step are one operation each.
    """

    flat: torch.Tensor
    gradients: torch.Tensor
    views: dict[str, torch.Tensor]
    grads: dict[str, torch.Tensor]
    shapes: Shapes

    def __len__(self) -> int:
        return len(self.flat)

    def tensors(self, adapter: int) -> dict[str, torch.Tensor]:
        """Copies of one adapter's tensors by PEFT's keys, on the CPU, ready to be saved."""
        return {name: view[adapter].detach().clone().cpu().contiguous() for name, view in self.views.items()}

    def keep(self, adapters: Sequence[int]) -> "Stack":
        """A stack of these adapters alone, in this order."""
        return stack_of(self.flat[list(adapters)], self.shapes)


def stack_of(flat: torch.Tensor, shapes: Shapes) -> Stack:
    """A stack whose parameters are `flat` (K, parameters); its gradients are zero."""
    gradients = torch.zeros_like(flat)
    views = {name: view.detach().requires_grad_() for name, view in views_of(flat, shapes).items()}
    return Stack(flat=flat, gradients=gradients, views=views, grads=views_of(gradients, shapes), shapes=shapes)


def views_of(flat: torch.Tensor, shapes: Shapes) -> dict[str, torch.Tensor]:
    """The parts of `flat` (K, parameters) by key: (K, rows, columns)."""
    views, place = {}, 0
    for name, (rows, columns) in shapes.items():
        views[name] = flat[:, place : place + rows * columns].view(len(flat), rows, columns)
        place += rows * columns
    return views


def start_of(shapes: Shapes, seed: int, start: Tensors | None) -> torch.Tensor:
    """One adapter's parameters (parameters,): those of `start`, else A as PEFT draws it (Kaiming uniform), B zero."""
    flat = torch.zeros(sum(rows * columns for rows, columns in shapes.values()))
    draw = torch.Generator().manual_seed(seed)
    for name, view in views_of(flat[None], shapes).items():
        if start is not None:
            view[0].copy_(start[name])
        elif name.endswith("lora_A.weight"):
            torch.nn.init.kaiming_uniform_(view[0], a=math.sqrt(5), generator=draw)
    return flat


def interpolated(tensors: Tensors, start: torch.Tensor, shapes: Shapes, share: float) -> dict[str, torch.Tensor]:
    """One adapter's tensors with each side B at `share` of its way from `start` (parameters,); side A as it is.

    What an update does elsewhere falls faster by this than what it has learned. WiSE-FT (Wortsman et al. 2022, arXiv
    2109.01903) interpolates all weights. Here an adapter that starts from the base is scaled as a whole; of one that
    starts from another, what training added by side B is.
    """
    if share == 1.0:
        return dict(tensors)
    before = views_of(start[None], shapes)
    return {
        name: torch.lerp(before[name][0].cpu(), tensor, share) if name.endswith("lora_B.weight") else tensor
        for name, tensor in tensors.items()
    }
