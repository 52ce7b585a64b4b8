"""A linear layer that carries K LoRA adapters: its product and gradients, written out. Knows no model and no loss.

Imported where it is used only: it needs torch. The gradients of A and B go straight to where the optimiser reads them,
and the base's weight gets none. Each adapter has as many tokens in a batched LoRA product; what some have more is
apart.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from pipeline.training.layers import Layer
from pipeline.training.token_layout import TokenLayout


def lora_linear(layer: Layer, x: torch.Tensor) -> torch.Tensor:
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
    return _add_by_lane(layer, made, low, b.transpose(1, 2), layer.adapted.scale), low


class _Beside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        made, low = _beside(layer, rows, a.to(rows.dtype), b.to(rows.dtype))
        ctx.save_for_backward(rows, low)
        ctx.layer = layer
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        rows, low = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.lanes(layer.name)
        into_a, into_b = layer.adapted.grads(layer.name)
        grad = grad.contiguous()
        through = _by_lane(layer, grad, b.to(grad.dtype)).mul_(layer.adapted.scale)
        into_b.add_(_lane_sums(layer, grad, low).to(into_b.dtype), alpha=layer.adapted.scale)
        into_a.add_(_lane_sums(layer, through, rows).to(into_a.dtype))
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        back = torch.matmul(grad, layer.weight)
        return _add_by_lane(layer, back, through, a.to(grad.dtype), 1.0), None, None, None


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
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        rows, weight = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.lanes(layer.name)
        into_a, into_b = layer.adapted.grads(layer.name)
        grad = grad.contiguous()
        change = _lane_sums(layer, grad, rows)
        into_b.baddbmm_(change, a.transpose(1, 2), alpha=layer.adapted.scale)
        into_a.baddbmm_(b.transpose(1, 2), change, alpha=layer.adapted.scale)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        return _by_lane(layer, grad, weight), None, None, None


def _by_lane(layer: Layer, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(tokens, n) times each adapter's own (K, n, m) -> (tokens, m)."""
    parts = layer.adapted.parts.of(len(rows))
    if not parts.tail:
        return torch.bmm(_head(parts, rows), weights).view(len(rows), -1)
    made = rows.new_empty(len(rows), weights.shape[-1])
    torch.bmm(_head(parts, rows), weights, out=_head(parts, made))
    for lane, span in _tails(parts):
        torch.mm(rows[span], weights[lane], out=made[span])
    return made


def _add_by_lane(
    layer: Layer, into: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor, scale: float
) -> torch.Tensor:
    """`into` (tokens, m) grown by scale times `_by_lane`."""
    parts = layer.adapted.parts.of(len(rows))
    _head(parts, into).baddbmm_(_head(parts, rows), weights, alpha=scale)
    for lane, span in _tails(parts):
        into[span].addmm_(rows[span], weights[lane], alpha=scale)
    return into


def _lane_sums(layer: Layer, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(tokens, n) and (tokens, m) -> each adapter's sum over its tokens of their outer products (K, n, m)."""
    parts = layer.adapted.parts.of(len(left))
    made = torch.bmm(_head(parts, left).transpose(1, 2), _head(parts, right))
    for lane, span in _tails(parts):
        made[lane].addmm_(left[span].T, right[span])
    return made


def _head(parts: TokenLayout, rows: torch.Tensor) -> torch.Tensor:
    """The tokens that every adapter has as many of: (K, each, width)."""
    return rows[: parts.lanes * parts.each].view(parts.lanes, parts.each, rows.shape[1])


def _tails(parts: TokenLayout) -> Iterator[tuple[int, slice]]:
    """The adapters that have more, and where."""
    place = parts.lanes * parts.each
    for lane, count in parts.tail:
        yield lane, slice(place, place + count)
        place += count
