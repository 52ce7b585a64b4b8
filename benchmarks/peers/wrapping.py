"""Puts PEFT's own LoRA onto a loaded base and takes it off again, so that many trainings share one base."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pipeline.adapters.attachment import target_names, transposed
from pipeline.engines.base import BaseModel, load_base


@contextmanager
def wrapped(
    base: BaseModel,
    *,
    rank: int,
    alpha: int,
    seed: int = 0,
    targets: Sequence[str] | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> Iterator[Any]:
    """A trainable `PeftModel` around the base while the context lasts; afterwards the base's own layers are back.

    `targets`: None is every linear layer. `start`: tensors by PEFT's keys; None is PEFT's own start, drawn by the seed.
    Dropout is off, as the base is lent in inference mode.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        target_modules=list(targets or target_names(base.model)),
        fan_in_fan_out=transposed(base.model),
    )
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        # PEFT 0.21 reads a property that transformers 5.23 renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        torch.manual_seed(seed)
        model = get_peft_model(base.model, config)
    try:
        if start is not None:
            _load(model, start)
        yield model.eval()
    finally:
        model.unload()
        for mark in ("peft_config", "_hf_peft_config_loaded"):
            base.model.__dict__.pop(mark, None)


def tensors_of(model: Any) -> dict[str, torch.Tensor]:
    """Copies of A and B by PEFT's keys, `base_model.model.<layer>.lora_A.weight`, on the CPU."""
    from peft import get_peft_model_state_dict

    held = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {key: tensor.detach().clone().cpu() for key, tensor in held.items()}


def trainable(model: Any) -> list[torch.nn.Parameter]:
    """The adapter's parameters, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def merged(base: BaseModel, adapter: Path, out: Path) -> BaseModel:
    """The model with the adapter added to its weights, saved and loaded anew as SEAL's loop does."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    whole = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.path), adapter).merge_and_unload()
    whole.save_pretrained(out)
    base.tokenizer.save_pretrained(out)
    return load_base(str(out), device="cpu")


def _load(model: Any, start: Mapping[str, torch.Tensor]) -> None:
    """Raises KeyError where the keys are not exactly the adapter's: PEFT itself would say nothing."""
    from peft import set_peft_model_state_dict

    if odd := set(start) ^ set(tensors_of(model)):
        raise KeyError(f"the start is not of this adapter's layers: see {sorted(odd)[0]!r}")
    set_peft_model_state_dict(model, dict(start))
