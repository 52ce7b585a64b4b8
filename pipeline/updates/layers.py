"""Trainable LoRA on a frozen model's linear layers, for the time of a training. Knows no data, loss or file.

PEFT computes the same; here the product is folded into the weight where that is cheaper, all parameters lie in one
flat tensor, so that clipping and the optimiser are one operation each, and no module of the base is replaced.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.updates.targets import linear_layers, transposed

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LoraLayers:
    """All A and B (by PEFT's keys) as views of one flat float32 tensor, whose gradients lie in `gradients`."""

    flat: "torch.Tensor"
    gradients: "torch.Tensor"
    views: "dict[str, torch.Tensor]"

    def tensors(self) -> "dict[str, torch.Tensor]":
        """Copies by PEFT's keys, ready to be saved."""
        return {key: view.detach().clone().cpu().contiguous() for key, view in self.views.items()}


@contextmanager
def lora_layers(
    model: Any, *, rank: int, alpha: int, tokens: int, seed: int, start: "Mapping[str, torch.Tensor] | None"
) -> Iterator[LoraLayers]:
    """Every linear layer adds alpha/rank times its BA while the context lasts; the model itself is not changed.

    `tokens` a step decide where folding pays. `start`: tensors by PEFT's keys to start from; None: A as PEFT draws it
    (Kaiming uniform), B zero.
    """
    layers = _make(model, rank, seed, start)
    modules, flipped = dict(model.named_modules()), transposed(model)
    changed = []
    try:
        for name, (inputs, outputs) in linear_layers(model).items():
            a, b = (layers.views[_key(name, side)] for side in "AB")
            folded = _folding_pays(inputs, outputs, rank, tokens) and modules[name].weight.dtype == a.dtype
            product = _folded if folded else _beside
            # An attribute of the instance hides the class's forward, and is gone when it is deleted.
            modules[name].forward = partial(product, modules[name], flipped, a, b, alpha / rank)
            changed.append(modules[name])
        yield layers
    finally:
        for module in changed:
            del module.forward


def _make(model: Any, rank: int, seed: int, start: "Mapping[str, torch.Tensor] | None") -> LoraLayers:
    import torch

    shapes: dict[str, tuple[int, int]] = {}
    for name, (inputs, outputs) in linear_layers(model).items():
        shapes |= {_key(name, "A"): (rank, inputs), _key(name, "B"): (outputs, rank)}
    flat = torch.zeros(sum(rows * columns for rows, columns in shapes.values()))
    draw = torch.Generator().manual_seed(seed)
    place = 0
    for key, (rows, columns) in shapes.items():
        view = flat[place : place + rows * columns].view(rows, columns)
        if start is not None:
            view.copy_(start[key])
        elif key.endswith("lora_A.weight"):
            torch.nn.init.kaiming_uniform_(view, a=math.sqrt(5), generator=draw)
        place += rows * columns
    return _with_gradients(flat.to(next(model.parameters()).device), shapes)


def _with_gradients(flat: "torch.Tensor", shapes: dict[str, tuple[int, int]]) -> LoraLayers:
    import torch

    gradients, views, place = torch.zeros_like(flat), {}, 0
    for key, (rows, columns) in shapes.items():
        span = slice(place, place + rows * columns)
        views[key] = flat[span].view(rows, columns).detach().requires_grad_()
        views[key].grad = gradients[span].view(rows, columns)
        place = span.stop
    return LoraLayers(flat=flat, gradients=gradients, views=views)


def _beside(
    module: Any, flipped: bool, a: "torch.Tensor", b: "torch.Tensor", scale: float, x: "torch.Tensor"
) -> "torch.Tensor":
    """Wx + scale * B(Ax): few operations where a step has few tokens or the layer is large."""
    import torch
    from torch.nn.functional import linear

    rows = x.reshape(-1, x.shape[-1])
    plain = linear(rows, module.weight.T if flipped else module.weight, module.bias)
    sum_of = torch.addmm(plain, linear(rows, a.to(x.dtype)), b.T.to(x.dtype), alpha=scale)
    return sum_of.view(*x.shape[:-1], -1)


def _folded(
    module: Any, flipped: bool, a: "torch.Tensor", b: "torch.Tensor", scale: float, x: "torch.Tensor"
) -> "torch.Tensor":
    """(W + scale * BA)x: few operations where the rank is not far below the layer's size."""
    import torch
    from torch.nn.functional import linear

    weight = torch.addmm(module.weight.T if flipped else module.weight, b, a, alpha=scale)
    return linear(x, weight, module.bias)


def _folding_pays(inputs: int, outputs: int, rank: int, tokens: int) -> bool:
    """Multiplications forward and back: BA and its two gradients and the weight's, against those of A and B alone."""
    return inputs * outputs * (3 * rank + tokens) < 3 * tokens * rank * (inputs + outputs)


def _key(layer: str, side: str) -> str:
    return f"base_model.model.{layer}.lora_{side}.weight"
