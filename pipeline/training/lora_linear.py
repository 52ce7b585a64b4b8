"""Linear layers that carry K LoRA adapters: their products and gradients, written out. Knows no data, loss or file.

PEFT computes the same for one adapter. Here a batch holds the tokens of adapter after adapter, so that the base runs
once for all. Each product is batched over the tokens that all adapters have; the tails of a `TokenLayout` are
multiplied one by one. The gradients of A and B are added where the optimiser reads them; the base's weight gets none.
No module is replaced, and nothing is left behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from pipeline.adapters.attachment import linear_layers, transposed
from pipeline.adapters.stack import Shapes, Stack, key, shapes_of, stack_of
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules

_PRODUCT = 32  # a further product of one adapter costs about as much as this many tokens


@dataclass(frozen=True)
class TokenLayout:
    """Which adapter each item of a batch belongs to. Items are tokens, or rows of equally many tokens.

    First come `each` items of every one of `adapters`, adapter after adapter: one batched product. The `tail` holds
    what some adapters have beyond that, (adapter, items) each: one more product an entry.
    """

    adapters: int
    each: int
    tail: tuple[tuple[int, int], ...] = ()

    @property
    def items(self) -> int:
        """Items of the whole batch."""
        return self.adapters * self.each + sum(count for _, count in self.tail)

    def of(self, tokens: int) -> "TokenLayout":
        """The same layout in tokens, of which there are `tokens`.

        Raises BadInput where a layer sees only part of the batch's tokens, as an expert of a mixture does.
        """
        unit, left = divmod(tokens, self.items)
        if left:
            raise BadInput(
                "a layer of this model sees only some of a batch's tokens, as experts do, and cannot carry adapters. "
                "Name the layers that see all tokens in training.targets."
            )
        return TokenLayout(self.adapters, unit * self.each, tuple((one, unit * count) for one, count in self.tail))


def arranged(counts: Sequence[int], *, filled: bool) -> tuple[TokenLayout, list[int]]:
    """A layout for adapters with so many items each, and the order of the items, which come adapter after adapter.

    The order lists places among the given items. `filled`: adapters may get padding items (-1 in the order) where that
    is cheaper than more products; otherwise `each` is the smallest count.
    """
    each = min(set(counts), key=lambda size: (_cost(counts, size), size)) if filled else min(counts)
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    spans = list(zip(starts, counts, strict=False))
    heads = [[*range(start, start + min(count, each)), *[-1] * (each - count)] for start, count in spans]
    tails = [range(start + each, start + count) for start, count in spans if count > each]
    tail = tuple((adapter, count - each) for adapter, count in enumerate(counts) if count > each)
    return TokenLayout(len(counts), each, tail), [*chain.from_iterable(heads), *chain.from_iterable(tails)]


def _cost(counts: Sequence[int], each: int) -> int:
    return sum(max(count, each) + _PRODUCT * (count > each) for count in counts)


@dataclass(eq=False)
class Adapted:
    """A model whose layers add `scale` * BA of each adapter of `stack` to their weights.

    `tokens`: which adapter each token of the next batch belongs to. Both may be replaced at any time.
    """

    stack: Stack
    scale: float
    tokens: TokenLayout

    def weights(self, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
        """A (K, rank, inputs) and B (K, outputs, rank) of a layer."""
        return self.stack.views[key(layer, "A")], self.stack.views[key(layer, "B")]

    def grads(self, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the gradients of A and B are added up."""
        return self.stack.grads[key(layer, "A")], self.stack.grads[key(layer, "B")]


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer of the base, its weight as (outputs, inputs), and the adapters that it carries."""

    name: str
    weight: torch.Tensor
    bias: torch.Tensor | None
    adapted: Adapted


def adapter_shapes(base: BaseModel, rules: TrainingRules) -> Shapes:
    """The shapes of an adapter of this base, by PEFT's keys. Raises BadRecipe for a target that cannot take LoRA."""
    return shapes_of(linear_layers(base.model, rules.targets), rules.rank)


def with_adapters(
    base: BaseModel, rules: TrainingRules, starts: Sequence[torch.Tensor]
) -> AbstractContextManager[Adapted]:
    """The base with adapters of `rules`' shape that start at these parameters, (parameters,) each."""
    stack = stack_of(torch.stack(list(starts)).to(base.device), adapter_shapes(base, rules))
    return adapters_on(base.model, stack, scale=rules.alpha / rules.rank, targets=rules.targets)


@contextmanager
def adapters_on(model: Any, stack: Stack, *, scale: float, targets: tuple[str, ...]) -> Iterator[Adapted]:
    """In this context the linear layers `targets` (all, where empty) carry the stack's adapters."""
    adapted = Adapted(stack=stack, scale=scale, tokens=TokenLayout(len(stack), 1))
    modules, flipped, changed = dict(model.named_modules()), transposed(model), []
    try:
        for name in linear_layers(model, targets):
            module = modules[name]
            weight = module.weight.T if flipped else module.weight
            layer = Layer(name=name, weight=weight, bias=module.bias, adapted=adapted)
            # An attribute of the instance hides the class's forward, and restores it when deleted.
            module.forward = partial(lora_linear, layer)
            changed.append(module)
        yield adapted
    finally:
        for module in changed:
            del module.forward


def lora_linear(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """(..., inputs) -> (..., outputs), where the tokens are laid out as `layer.adapted.tokens` says."""
    a, b = layer.adapted.weights(layer.name)
    rows = x.reshape(-1, x.shape[-1])
    if not torch.is_grad_enabled():
        return _beside(layer, rows, a.to(x.dtype), b.to(x.dtype))[0].view(*x.shape[:-1], -1)
    outputs, inputs = layer.weight.shape
    folding = _folding_pays(inputs, outputs, a.shape[1], len(rows) // len(a)) and layer.weight.dtype == a.dtype
    out: torch.Tensor = (_Folded if folding else _Beside).apply(rows, a, b, layer)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], -1)


def _folding_pays(inputs: int, outputs: int, rank: int, tokens: int) -> bool:
    """Whether adding BA to the weight takes fewer multiplications, forward and back, than multiplying by A and by B."""
    return inputs * outputs * (3 * rank + tokens) < 3 * tokens * rank * (inputs + outputs)


def _beside(layer: Layer, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Wx + scale * B(Ax), and Ax (tokens, rank): few operations where a step has few tokens or the layer is large."""
    out = linear(rows, layer.weight, layer.bias)
    low = _per_adapter(layer, rows, a.transpose(1, 2))
    return _add_per_adapter(layer, out, low, b.transpose(1, 2), layer.adapted.scale), low


class _Beside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        out, low = _beside(layer, rows, a.to(rows.dtype), b.to(rows.dtype))
        ctx.save_for_backward(rows, low)
        ctx.layer = layer
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        rows, low = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.weights(layer.name)
        grad_a, grad_b = layer.adapted.grads(layer.name)
        grad = grad.contiguous()
        through = _per_adapter(layer, grad, b.to(grad.dtype)).mul_(layer.adapted.scale)
        grad_b.add_(_outer_sums(layer, grad, low).to(grad_b.dtype), alpha=layer.adapted.scale)
        grad_a.add_(_outer_sums(layer, through, rows).to(grad_a.dtype))
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        back = torch.matmul(grad, layer.weight)
        return _add_per_adapter(layer, back, through, a.to(grad.dtype), 1.0), None, None, None


class _Folded(torch.autograd.Function):
    """(W + scale * BA)x: few operations where the rank is not far below the layer's size."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor, layer: Layer) -> torch.Tensor:
        weight = torch.baddbmm(layer.weight.expand(len(a), -1, -1), b, a, alpha=layer.adapted.scale)
        out = _per_adapter(layer, rows, weight.transpose(1, 2))
        if layer.bias is not None:
            out += layer.bias
        ctx.save_for_backward(rows, weight)
        ctx.layer = layer
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        rows, weight = ctx.saved_tensors
        layer: Layer = ctx.layer
        a, b = layer.adapted.weights(layer.name)
        grad_a, grad_b = layer.adapted.grads(layer.name)
        grad = grad.contiguous()
        change = _outer_sums(layer, grad, rows)
        grad_b.baddbmm_(change, a.transpose(1, 2), alpha=layer.adapted.scale)
        grad_a.baddbmm_(b.transpose(1, 2), change, alpha=layer.adapted.scale)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        return _per_adapter(layer, grad, weight), None, None, None


def _per_adapter(layer: Layer, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(tokens, n) times each adapter's own (K, n, m) -> (tokens, m)."""
    layout = layer.adapted.tokens.of(len(rows))
    if not layout.tail:
        return torch.bmm(_head(layout, rows), weights).view(len(rows), -1)
    out = rows.new_empty(len(rows), weights.shape[-1])
    torch.bmm(_head(layout, rows), weights, out=_head(layout, out))
    for adapter, span in _tails(layout):
        torch.mm(rows[span], weights[adapter], out=out[span])
    return out


def _add_per_adapter(
    layer: Layer, into: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor, scale: float
) -> torch.Tensor:
    """`into` (tokens, m) grown by scale times `_per_adapter`."""
    layout = layer.adapted.tokens.of(len(rows))
    _head(layout, into).baddbmm_(_head(layout, rows), weights, alpha=scale)
    for adapter, span in _tails(layout):
        into[span].addmm_(rows[span], weights[adapter], alpha=scale)
    return into


def _outer_sums(layer: Layer, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(tokens, n) and (tokens, m) -> each adapter's sum over its tokens of their outer products (K, n, m)."""
    layout = layer.adapted.tokens.of(len(left))
    out = torch.bmm(_head(layout, left).transpose(1, 2), _head(layout, right))
    for adapter, span in _tails(layout):
        out[adapter].addmm_(left[span].T, right[span])
    return out


def _head(layout: TokenLayout, rows: torch.Tensor) -> torch.Tensor:
    """The first `each` tokens of every adapter: (K, each, width)."""
    return rows[: layout.adapters * layout.each].view(layout.adapters, layout.each, rows.shape[1])


def _tails(layout: TokenLayout) -> Iterator[tuple[int, slice]]:
    """The adapters that have more tokens, and where these lie."""
    place = layout.adapters * layout.each
    for adapter, count in layout.tail:
        yield adapter, slice(place, place + count)
        place += count
