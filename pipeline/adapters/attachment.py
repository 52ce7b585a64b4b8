"""Attaches a verified adapter to a loaded base with PEFT, and removes it without a trace. Knows no manifest."""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from pipeline.adapters.format import read_config, read_tensors
from pipeline.adapters.header import AGAIN, Shapes
from pipeline.errors import BadInput, BadRecipe, CorruptAdapter

MAX_GROWTH = 20.0  # norm of a layer's change against the layer's own
_NAME = "default"  # PEFT's own name for the only adapter


@contextmanager
def attach(model: PreTrainedModel, folder: Path) -> Iterator[PreTrainedModel]:
    """Attaches a *verified* adapter to the model in place, and puts the model's own layers back afterwards.

    Raises CorruptAdapter as `attach_for_good` does.
    """
    targets = tuple(str(target) for target in read_config(folder)["target_modules"])
    own = {name: model.get_submodule(name) for name in _layers(model, targets)}
    try:
        attach_for_good(model, folder)
        yield model
    finally:
        for name, layer in own.items():
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, layer)
        for mark in ("peft_config", "_hf_peft_config_loaded"):
            model.__dict__.pop(mark, None)


def attach_for_good(model: PreTrainedModel, folder: Path) -> None:
    """Attaches a *verified* adapter to the model in place.

    Raises CorruptAdapter where the adapter does not fit this model's layers, or PEFT did not load exactly its bytes.
    """
    tensors, config = read_tensors(folder), read_config(folder)
    targets = tuple(str(target) for target in config["target_modules"])
    check_fit(tensors, model, float(config["lora_alpha"]) / float(config["r"]), targets)
    loaded = _inject(model, folder)
    if set(loaded) != set(tensors) or any(not _alike(loaded[key], tensors[key]) for key in tensors):
        raise CorruptAdapter(f"PEFT did not load the adapter in {folder} as it is. {AGAIN}")


def _inject(model: Any, folder: Path) -> dict[str, torch.Tensor]:
    """Attaches the adapter with PEFT and returns the loaded tensors by the file's keys."""
    with warnings.catch_warnings():
        # PEFT 0.21 reads a property that transformers 5.23 renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        PeftModel.from_pretrained(model, str(folder), adapter_name=_NAME)
    named = model.named_parameters()
    return {f"base_model.model.{name}".replace(f".{_NAME}.", "."): tensor for name, tensor in named if ".lora_" in name}


def check_fit(
    tensors: Mapping[str, torch.Tensor], model: PreTrainedModel, scale: float, targets: tuple[str, ...]
) -> None:
    """Checks what `check_layers` does, and that no layer changes by more than its bound.

    `scale`: alpha / rank. Raises CorruptAdapter.
    """
    modules, shapes = dict(model.named_modules()), {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    for layer, (inputs, outputs) in check_layers(shapes, model, targets).items():
        a, b = (tensors[f"base_model.model.{layer}.lora_{side}.weight"].float() for side in "AB")
        change = scale * math.sqrt(max(0.0, float(((b.T @ b) * (a @ a.T)).sum())))  # |BA| without forming BA
        bound = MAX_GROWTH * max(float(modules[layer].weight.float().norm()), 0.01 * math.sqrt(inputs * outputs))
        if not change <= bound:
            raise CorruptAdapter(f"the adapter changes {layer} by {change:.3g}, beyond {bound:.3g}. {AGAIN}")


def check_layers(shapes: Shapes, model: PreTrainedModel, targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Checks that keys and shapes are those of the targeted layers, which are returned as `linear_layers` does.

    Needs no weights: `model` may be a skeleton. Raises CorruptAdapter.
    """
    layers = _layers(model, targets)
    expected = {f"base_model.model.{layer}.lora_{side}.weight" for layer in layers for side in "AB"}
    if expected != set(shapes):
        odd = sorted(expected ^ set(shapes))[0]
        raise CorruptAdapter(f"the adapter's keys are not those of the base's layers (see {odd!r}). {AGAIN}")
    for layer, (inputs, outputs) in layers.items():
        (rank, theirs), (ours, same) = (shapes[f"base_model.model.{layer}.lora_{side}.weight"] for side in "AB")
        if (theirs, ours) != (inputs, outputs) or rank != same:
            raise CorruptAdapter(f"the adapter's {layer} is {theirs}x{ours}, not {inputs}x{outputs}. {AGAIN}")
    return layers


def _layers(model: PreTrainedModel, targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    try:
        return linear_layers(model, targets)
    except BadRecipe as error:
        raise CorruptAdapter(f"the adapter is for layers that the base does not have: {error} {AGAIN}") from error


def _alike(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape == theirs.shape and torch.equal(ours.detach().cpu().to(theirs.dtype), theirs)


def linear_layers(model: Any, targets: tuple[str, ...] = ()) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each linear layer by its full name, GPT-2's Conv1D included, in the model's order.

    Of a model that also sees or hears, only those of its language part.
    `targets` are full names or their last parts, as PEFT takes them; empty means all layers but the output head.
    Raises BadRecipe where a target names no layer, or something that cannot take LoRA.
    """
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    layers: dict[str, tuple[int, int]] = {}
    for name, module in _language_modules(model):
        if isinstance(module, nn.Linear) and module is not head:
            layers[name] = (module.in_features, module.out_features)
        elif isinstance(module, Conv1D) and module is not head:
            layers[name] = (module.nx, module.nf)
    if not targets:
        return layers
    for target in targets:
        _check(model, target, layers)
    return {name: shape for name, shape in layers.items() if any(_named(name, target) for target in targets)}


def _language_modules(model: Any) -> Iterator[tuple[str, nn.Module]]:
    """The modules, by name, of the part that reads and writes text."""
    part = _language_part(model)
    return ((name, module) for name, module in model.named_modules() if not part or name.startswith(f"{part}."))


def _language_part(model: Any) -> str:
    """The name of the module that reads and writes text, in a model that has others beside it; else ""."""
    config = getattr(model, "config", None)
    if config is None or not hasattr(config, "get_text_config") or config.get_text_config() is config:
        return ""
    decoder = model.get_decoder()
    return next((name for name, module in model.named_modules() if module is decoder), "")


def unadapted(model: Any) -> str:
    """The kinds of layers that LoRA leaves as they are, with their share of the language layers' weights; "" for none.

    Experts are kept as one tensor of three dimensions, which LoRA on linear layers does not reach.
    """
    within = sum(inputs * outputs for inputs, outputs in linear_layers(model).values())
    experts = {
        name: sum(weight.numel() for weight in own)
        for name, module in _language_modules(model)
        if (own := [weight for weight in module.parameters(recurse=False) if weight.ndim == 3])
        # A convolution's kernel has three dimensions, too.
        and not isinstance(module, nn.Conv1d)
    }
    names = sorted({name.rpartition(".")[2] for name in experts})
    share = sum(experts.values()) / max(1, within + sum(experts.values()))
    return f"{', '.join(names)} ({100 * share:.0f} % of the weights)" if names else ""


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
