"""Finds the linear layers of a model that LoRA adapts: all of them but the output head. Knows no adapter."""

from typing import Any

from pipeline.errors import BadInput


def linear_layers(model: Any) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each linear layer by its full name, GPT-2's Conv1D included, in the model's order."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    layers: dict[str, tuple[int, int]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head:
            layers[name] = (module.in_features, module.out_features)
        elif isinstance(module, Conv1D) and module is not head:
            layers[name] = (module.nx, module.nf)
    return layers


def target_names(model: Any) -> tuple[str, ...]:
    """The shortest names by which PEFT finds exactly these layers: their last parts, or in full where those mislead.

    Raises BadInput for a model without linear layers.
    """
    layers = set(linear_layers(model))
    if not layers:
        raise BadInput("this model has no linear layer that LoRA could adapt. Use another base model.")
    short = {name.rpartition(".")[2] for name in layers}
    found = {name for name, _ in model.named_modules() if name.rpartition(".")[2] in short}
    return tuple(sorted(short if found == layers else layers))


def transposed(model: Any) -> bool:
    """Whether the layers keep their weights as (inputs, outputs), as GPT-2's Conv1D does: PEFT's `fan_in_fan_out`."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(module, Conv1D) for module in model.modules())
