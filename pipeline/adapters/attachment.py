"""Attaches a verified adapter to a loaded base with PEFT, and removes it without a trace. Knows no manifest."""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from pipeline.adapters.format import AGAIN, read_config, read_tensors
from pipeline.adapters.targets import linear_layers
from pipeline.errors import BadRecipe, CorruptAdapter

MAX_GROWTH = 20.0  # norm of a layer's change against the layer's own
_NAME = "default"  # PEFT's own name for the only adapter


@contextmanager
def attach(model: PreTrainedModel, folder: Path) -> Iterator[PreTrainedModel]:
    """Attaches a *verified* adapter to the model in place, and puts the model's own layers back afterwards.

    Raises CorruptAdapter where the adapter does not fit this model's layers, or PEFT did not load exactly its bytes.
    """
    tensors, config = read_tensors(folder), read_config(folder)
    targets = tuple(str(target) for target in config["target_modules"])
    check_fit(tensors, model, float(config["lora_alpha"]) / float(config["r"]), targets)
    own = {name: model.get_submodule(name) for name in _layers(model, targets)}
    try:
        loaded = _inject(model, folder)
        if set(loaded) != set(tensors) or any(not _alike(loaded[key], tensors[key]) for key in tensors):
            raise CorruptAdapter(f"PEFT did not load the adapter in {folder} as it is. {AGAIN}")
        yield model
    finally:
        for name, layer in own.items():
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, layer)
        for mark in ("peft_config", "_hf_peft_config_loaded"):
            model.__dict__.pop(mark, None)


def _inject(model: Any, folder: Path) -> dict[str, torch.Tensor]:
    """Attaches the adapter with PEFT and returns the loaded tensors by the file's keys."""
    with warnings.catch_warnings():
        # PEFT 0.21 reads a property that transformers 5.23 renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        PeftModel.from_pretrained(model, str(folder), adapter_name=_NAME)
    named = model.named_parameters()
    return {f"base_model.model.{name}".replace(f".{_NAME}.", "."): held for name, held in named if ".lora_" in name}


def check_fit(
    tensors: Mapping[str, torch.Tensor], model: PreTrainedModel, scale: float, targets: tuple[str, ...]
) -> None:
    """Checks that keys and shapes are those of the targeted layers, and that no layer changes by more than its bound.

    `scale`: alpha / rank. Raises CorruptAdapter.
    """
    layers, modules = _layers(model, targets), dict(model.named_modules())
    expected = {f"base_model.model.{layer}.lora_{side}.weight" for layer in layers for side in "AB"}
    if expected != set(tensors):
        odd = sorted(expected ^ set(tensors))[0]
        raise CorruptAdapter(f"the adapter's keys are not those of the base's layers (see {odd!r}). {AGAIN}")
    for layer, (inputs, outputs) in layers.items():
        a, b = (tensors[f"base_model.model.{layer}.lora_{side}.weight"].float() for side in "AB")
        if a.shape[1] != inputs or b.shape[0] != outputs:
            raise CorruptAdapter(f"the adapter's {layer} is {a.shape[1]}x{b.shape[0]}, not {inputs}x{outputs}. {AGAIN}")
        change = scale * math.sqrt(max(0.0, float(((b.T @ b) * (a @ a.T)).sum())))  # |BA| without forming BA
        bound = MAX_GROWTH * max(float(modules[layer].weight.float().norm()), 0.01 * math.sqrt(inputs * outputs))
        if not change <= bound:
            raise CorruptAdapter(f"the adapter changes {layer} by {change:.3g}, beyond {bound:.3g}. {AGAIN}")


def _layers(model: PreTrainedModel, targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    try:
        return linear_layers(model, targets)
    except BadRecipe as error:
        raise CorruptAdapter(f"the adapter is for layers that the base does not have: {error} {AGAIN}") from error


def _alike(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape == theirs.shape and torch.equal(ours.detach().cpu().to(theirs.dtype), theirs)
