"""The product of a linear layer that carries K adapters, and its gradients, written out. Knows no model and no loss.

Imported where it is used only: it needs torch. The gradients of A and B go straight to where the optimiser reads them,
and the base's weight gets none. Each adapter's tokens are a run of the rows; runs need not be alike.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import grouped_mm, linear

from pipeline.updates.layers import Layer

_ALIGNED = 16  # bytes of a row that the grouped product asks for


def product(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """(..., inputs) -> (..., outputs): the tokens of adapter 0, then those of adapter 1, and so on."""
    a, b = layer.adapted.lanes(layer.name)
    rows = x.reshape(-1, x.shape[-1])
    if not torch.is_grad_enabled():
        return _beside(layer, rows, a.to(x.dtype), b.to(x.dtype))[0].view(*x.shape[:-1], -1)
    outputs, inputs = layer.weight.shape
    folding = _folding_pays(inputs, outputs, a.shape[1], len(rows) // len(a)) and layer.weight.dtype == a.dtype
    made: torch.Tensor = (_Folded if folding else _Beside).apply(rows, a, b, layer)  # type: ignore[no-untyped-call]
    return made.view(*x.shape[:-1], -1)


def _folding_pays(inputs: int, outputs: int, rank: int, tokens: int) -> bool:
    """Multiplications forward and back: BA and its two gradients and the weight's, against those of A and B alone."""
    return inputs * outputs * (3 * rank + tokens) < 3 * tokens * rank * (inputs + outputs)


def _beside(layer: Layer, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Wx + scale * B(Ax), and Ax (tokens, rank): few operations where a step has few tokens or the layer is large."""
    made = linear(rows, layer.weight, layer.bias)
    low = _by_lane(layer, rows, a.transpose(1, 2))
    if len(a) == 1:
        return made.addmm_(low, b[0].T, alpha=layer.adapted.scale), low
    return made.add_(_by_lane(layer, low, b.transpose(1, 2)), alpha=layer.adapted.scale), low


class _Beside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        made, low = _beside(layer, rows, a.to(rows.dtype), b.to(rows.dtype))
        ctx.save_for_backward(rows, low)
        ctx.layer = layer
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        rows, low = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.lanes(layer.name)
        into_a, into_b = layer.adapted.slopes(layer.name)
        slope = slope.contiguous()
        through = _by_lane(layer, slope, b.to(slope.dtype)).mul_(layer.adapted.scale)
        _add(into_b, _lane_sums(layer, slope, low), layer.adapted.scale)
        _add(into_a, _lane_sums(layer, through, rows), 1.0)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        back = torch.matmul(slope, layer.weight)
        return back.add_(_by_lane(layer, through, a.to(slope.dtype))), None, None, None


class _Folded(torch.autograd.Function):
    """(W + scale * BA)x: few operations where the rank is not far below the layer's size."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        weight = torch.baddbmm(layer.weight.expand(len(a), -1, -1), b, a, alpha=layer.adapted.scale)
        made = _by_lane(layer, rows, weight.transpose(1, 2))
        if layer.bias is not None:
            made += layer.bias
        ctx.save_for_backward(rows, weight)
        ctx.layer = layer
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        rows, weight = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.lanes(layer.name)
        into_a, into_b = layer.adapted.slopes(layer.name)
        slope = slope.contiguous()
        change = _lane_sums(layer, slope, rows)
        into_b.baddbmm_(change, a.transpose(1, 2), alpha=layer.adapted.scale)
        into_a.baddbmm_(b.transpose(1, 2), change, alpha=layer.adapted.scale)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        return _by_lane(layer, slope, weight), None, None, None


def _by_lane(layer: Layer, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(tokens, n) times each adapter's own (K, n, m) -> (tokens, m)."""
    if len(weights) == 1:
        return rows @ weights[0]
    if _aligned(rows, rows.shape[-1], weights.shape[-1]):
        made: torch.Tensor = grouped_mm(rows, weights, offs=layer.adapted.ends(len(rows), rows.device))
        return made
    sizes = layer.adapted.sizes(len(rows))
    return torch.cat([part @ weight for part, weight in zip(torch.split(rows, sizes), weights, strict=True)])


def _lane_sums(layer: Layer, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(tokens, n) and (tokens, m) -> each adapter's sum over its tokens of their outer products (K, n, m)."""
    lanes = layer.adapted.stack.lanes
    if lanes == 1:
        return (left.T @ right)[None]
    if _aligned(left, left.shape[-1], right.shape[-1]):
        made: torch.Tensor = grouped_mm(left.T, right, offs=layer.adapted.ends(len(left), left.device))
        return made
    sizes = layer.adapted.sizes(len(left))
    runs = zip(torch.split(left, sizes), torch.split(right, sizes), strict=True)
    return torch.stack([one.T @ other for one, other in runs])


def _aligned(like: torch.Tensor, *widths: int) -> bool:
    return all(width * like.element_size() % _ALIGNED == 0 for width in widths)


def _add(into: torch.Tensor, change: torch.Tensor, scale: float) -> None:
    into.add_(change.to(into.dtype), alpha=scale)
