"""The product of a linear layer that carries K adapters, and its gradients, written out. Knows no model and no loss.

Imported where it is used only: it needs torch. The gradients of A and B go straight to where the optimiser reads them,
and the base's weight gets none.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from pipeline.updates.layers import Layer


def product(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """(rows, ..., inputs) -> (rows, ..., outputs); the rows are those of adapter 0, then of adapter 1, and so on."""
    a, b = layer.adapted.lanes(layer.name)
    if not torch.is_grad_enabled():
        return _beside(layer, x, a.to(x.dtype), b.to(x.dtype))[0]
    outputs, inputs = layer.weight.shape
    folding = _folding_pays(inputs, outputs, a.shape[1], layer.adapted.tokens) and layer.weight.dtype == a.dtype
    made: torch.Tensor = (_Folded if folding else _Beside).apply(x, a, b, layer)  # type: ignore[no-untyped-call]
    return made


def _folding_pays(inputs: int, outputs: int, rank: int, tokens: int) -> bool:
    """Multiplications forward and back: BA and its two gradients and the weight's, against those of A and B alone."""
    return inputs * outputs * (3 * rank + tokens) < 3 * tokens * rank * (inputs + outputs)


def _beside(layer: Layer, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Wx + scale * B(Ax), and Ax (K, rows, rank): few operations where a step has few tokens or the layer is large."""
    rows = x.reshape(len(a), -1, x.shape[-1])
    made = linear(rows, layer.weight, layer.bias)
    low = torch.bmm(rows, a.transpose(1, 2))
    made.baddbmm_(low, b.transpose(1, 2), alpha=layer.adapted.scale)
    return made.view(*x.shape[:-1], -1), low


class _Beside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        made, low = _beside(layer, x, a.to(x.dtype), b.to(x.dtype))
        ctx.save_for_backward(x, low)
        ctx.layer = layer
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        x, low = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.lanes(layer.name)
        into_a, into_b = layer.adapted.slopes(layer.name)
        rows, slope = x.reshape(len(a), -1, x.shape[-1]), slope.reshape(len(a), -1, slope.shape[-1])
        scale = layer.adapted.scale
        through = torch.bmm(slope, b.to(slope.dtype)).mul_(scale)
        _add(into_b, slope.transpose(1, 2), low, scale)
        _add(into_a, through.transpose(1, 2), rows, 1.0)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        back = torch.matmul(slope, layer.weight).baddbmm_(through, a.to(slope.dtype))
        return back.view(x.shape), None, None, None


class _Folded(torch.autograd.Function):
    """(W + scale * BA)x: few operations where the rank is not far below the layer's size."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        rows = x.reshape(len(a), -1, x.shape[-1])
        weight = torch.baddbmm(layer.weight.expand(len(a), -1, -1), b, a, alpha=layer.adapted.scale)
        made = torch.bmm(rows, weight.transpose(1, 2))
        if layer.bias is not None:
            made += layer.bias
        ctx.save_for_backward(x, weight)
        ctx.layer = layer
        return made.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        x, weight = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.lanes(layer.name)
        into_a, into_b = layer.adapted.slopes(layer.name)
        rows, slope = x.reshape(len(a), -1, x.shape[-1]), slope.reshape(len(a), -1, slope.shape[-1])
        change = torch.bmm(slope.transpose(1, 2), rows)
        into_b.baddbmm_(change, a.transpose(1, 2), alpha=layer.adapted.scale)
        into_a.baddbmm_(b.transpose(1, 2), change, alpha=layer.adapted.scale)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        return torch.bmm(slope, weight).view(x.shape), None, None, None


def _add(into: torch.Tensor, left: torch.Tensor, right: torch.Tensor, scale: float) -> None:
    """into += scale * left @ right, in the type of `into`."""
    if left.dtype == into.dtype:
        into.baddbmm_(left, right, alpha=scale)
    else:
        into.add_(torch.bmm(left, right).to(into.dtype), alpha=scale)
