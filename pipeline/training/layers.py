"""Puts K LoRA adapters at once onto a frozen model's linear layers, for a while. Knows no data, loss or file.

PEFT computes the same for one adapter. Here the tokens of a batch come adapter after adapter, so that the base is run
once for all and the adapters' products are grouped ones; no module is replaced, and nothing is left behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.adapters.stack import Stack, key
from pipeline.adapters.targets import linear_layers, transposed
from pipeline.training.token_layout import TokenLayout

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class Adapted:
    """A model whose layers add `scale` times BA of `stack`, adapter by adapter.

    `parts`: whose the tokens that come next are. Both may be replaced at any time.
    """

    stack: Stack
    scale: float
    parts: TokenLayout

    def lanes(self, layer: str) -> "tuple[torch.Tensor, torch.Tensor]":
        """A (K, rank, inputs) and B (K, outputs, rank) of a layer."""
        return self.stack.views[key(layer, "A")], self.stack.views[key(layer, "B")]

    def grads(self, layer: str) -> "tuple[torch.Tensor, torch.Tensor]":
        """Where the gradients of A and B go."""
        return self.stack.grads[key(layer, "A")], self.stack.grads[key(layer, "B")]


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer of the base: its weight as (outputs, inputs), its bias, and whose adapters it carries."""

    name: str
    weight: "torch.Tensor"
    bias: "torch.Tensor | None"
    adapted: Adapted


@contextmanager
def adapters_on(model: Any, stack: Stack, *, scale: float, targets: tuple[str, ...]) -> Iterator[Adapted]:
    """The linear layers `targets` (all, where empty) carry the stack's adapters while the context lasts."""
    from pipeline.training.lora_linear import lora_linear

    adapted = Adapted(stack=stack, scale=scale, parts=TokenLayout(stack.lanes, 1))
    modules, flipped, changed = dict(model.named_modules()), transposed(model), []
    try:
        for name in linear_layers(model, targets):
            module = modules[name]
            weight = module.weight.T if flipped else module.weight
            layer = Layer(name=name, weight=weight, bias=module.bias, adapted=adapted)
            # An attribute of the instance hides the class's forward, and is gone when it is deleted.
            module.forward = partial(lora_linear, layer)
            changed.append(module)
        yield adapted
    finally:
        for module in changed:
            del module.forward
