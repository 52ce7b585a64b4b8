"""Puts K LoRA adapters at once onto a frozen model's linear layers, for a while. Knows no data, loss or file.

PEFT computes the same for one adapter. Here a batch holds the tokens of adapter after adapter, so that the base runs
once for all, and the adapters' products are batched; no module is replaced, and nothing is left behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch

from pipeline.adapters.stack import Shapes, Stack, shapes_of, stack_of
from pipeline.adapters.targets import linear_layers, transposed
from pipeline.engines.base import BaseModel
from pipeline.recipe import TrainingRules
from pipeline.training.lora_linear import Adapted, Layer, lora_linear
from pipeline.training.token_layout import TokenLayout


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
            # An attribute of the instance hides the class's forward, and is gone when it is deleted.
            module.forward = partial(lora_linear, layer)
            changed.append(module)
        yield adapted
    finally:
        for module in changed:
            del module.forward
