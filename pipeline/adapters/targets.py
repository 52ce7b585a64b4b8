"""Finds the linear layers that LoRA adapts: all of a model but the output head, or those named. Knows no adapter."""

from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from pipeline.errors import BadInput, BadRecipe


def linear_layers(model: Any, targets: tuple[str, ...] = ()) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each linear layer by its full name, GPT-2's Conv1D included, in the model's order.

    `targets` are full names or their last parts, as PEFT takes them; empty means all layers but the output head.
    Raises BadRecipe where a target names no layer, or something that cannot take LoRA.
    """
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    layers: dict[str, tuple[int, int]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head:
            layers[name] = (module.in_features, module.out_features)
        elif isinstance(module, Conv1D) and module is not head:
            layers[name] = (module.nx, module.nf)
    if not targets:
        return layers
    for target in targets:
        _check(model, target, layers)
    return {name: shape for name, shape in layers.items() if any(_named(name, target) for target in targets)}


def target_names(model: Any, targets: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The shortest names by which PEFT finds exactly these layers: their last parts, or in full where those mislead.

    Raises BadInput for a model without linear layers, BadRecipe for a target that cannot take LoRA.
    """
    layers = set(linear_layers(model, targets))
    if not layers:
        raise BadInput("this model has no linear layer that LoRA could adapt. Use another base model.")
    short = {name.rpartition(".")[2] for name in layers}
    found = {name for name, _ in model.named_modules() if name.rpartition(".")[2] in short}
    return tuple(sorted(short if found == layers else layers))


def transposed(model: Any) -> bool:
    """Whether the layers keep their weights as (inputs, outputs), as GPT-2's Conv1D does: PEFT's `fan_in_fan_out`."""
    return any(isinstance(module, Conv1D) for module in model.modules())


def _check(model: Any, target: str, layers: dict[str, tuple[int, int]]) -> None:
    """Raises BadRecipe unless every module that `target` names is one of `layers`."""
    named = [name for name, _ in model.named_modules() if _named(name, target)]
    unfit = [name for name in named if name not in layers]
    if unfit:
        kind = type(model.get_submodule(unfit[0])).__name__
        raise BadRecipe(
            f"training.targets: {unfit[0]} is a {kind}, which cannot take LoRA. Name linear layers other than the head."
        )
    if not named:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in layers}))
        raise BadRecipe(f"training.targets: this model has no layer {target!r}. Its linear layers are: {known}.")


def _named(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")
