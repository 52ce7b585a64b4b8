"""Loads a base model once and provides it with or without an adapter. The base itself is never changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from pipeline.adapters.attachment import attach
from pipeline.adapters.copies import private_copy
from pipeline.adapters.identity import BaseIdentity, check_files, identify_base
from pipeline.errors import BadInput, InternalError, ModelMissing

_ON_CPU = {torch.float32, torch.bfloat16}
_WANTED = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


@dataclass(frozen=True, eq=False)
class BaseModel:
    """A loaded base: a Hugging Face causal language model in inference mode, with its tokenizer and identity."""

    path: Path
    identity: BaseIdentity
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        return context_of(self.model.config, self.tokenizer)

    @property
    def device(self) -> torch.device:
        place: torch.device = next(self.model.parameters()).device
        return place


def load_base(path_or_id: str, device: str = "auto", dtype: str = "auto") -> BaseModel:
    """Loads a model by folder or hub id, from safetensors only and without any code of its own.

    `device` "auto": CUDA where there is a card, else CPU. `dtype` "auto": on a card the checkpoint's type; on a CPU
    float32, but bfloat16 for a checkpoint in it where the processor multiplies in it. A checkpoint in float16 is taken
    to float32: its gradients would vanish or overflow.
    Raises ModelMissing where the model cannot be found or loaded, BadInput for an unknown device or type.
    """
    path = find_base(path_or_id)
    _check_weights(check_files(path))
    identity = identify_base(path)
    with no_bars():
        model, tokenizer = _load(path, *_placement(device, dtype))
    model.eval().requires_grad_(False)
    if head := model.get_output_embeddings():
        head.register_forward_pre_hook(_contiguous)
    return BaseModel(path=path, identity=identity, model=model, tokenizer=tokenizer)


def _contiguous(_: object, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """A head's input in one piece: PyTorch gives each row of any other a copy of the weight to be multiplied by.

    The last states of a batch of prompts are such an input. On a CPU that took hundreds of times as long, and 50 MB a
    row.
    """
    return (given[0].contiguous(), *given[1:]) if given else given


@contextmanager
def with_adapter(base: BaseModel, adapter_dir: Path | None) -> Iterator[PreTrainedModel]:
    """The model with a verified adapter attached while the context lasts; afterwards the base is as it was.

    What is attached was copied to a private folder and verified there: whoever changes `adapter_dir` changes nothing.
    Raises CorruptAdapter or WrongBase before PEFT sees a file. Not re-entrant: one adapter at a time.
    """
    if adapter_dir is None:
        yield base.model
        return
    if any("lora_" in name for name, _ in base.model.named_modules()):
        raise InternalError("an adapter is already attached to this base: leave its context first.")
    with private_copy(adapter_dir, base.identity) as (copied, _), attach(base.model, copied) as adapted:
        yield adapted


def context_of(config: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Longest sequence in tokens that a configuration allows, else the one its tokenizer names."""
    longest = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(longest) if longest else int(min(tokenizer.model_max_length, 1 << 20))


def find_base(path_or_id: str) -> Path:
    """The model's folder: the given one, else the hub's (only its local cache where HF_HUB_OFFLINE is set).

    Raises ModelMissing.
    """
    path = Path(path_or_id).expanduser()
    if path.exists() or path.is_absolute() or path_or_id.startswith((".", "~")) or path_or_id.count("/") > 1:
        return path
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}
    try:
        return Path(snapshot_download(path_or_id, allow_patterns=_WANTED, local_files_only=offline))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        where = "in the local cache (HF_HUB_OFFLINE is set)" if offline else "on the hub"
        raise ModelMissing(
            f"{path_or_id} is no folder, and was not found {where}. Check the spelling (`sealed models list` names the "
            "packaged models), or download the model first."
        ) from error


def _check_weights(weights: list[Path]) -> None:
    for file in weights:
        try:
            with safe_open(file, framework="pt") as tensors:
                tensors.keys()
        except (SafetensorError, OSError) as error:
            raise ModelMissing(f"{file} is not readable as safetensors: {error}. Copy the model again.") from error


def _placement(device: str, dtype: str) -> tuple[torch.device, torch.dtype | str]:
    named = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(named)
    except RuntimeError as error:
        raise BadInput(f"there is no device {device!r}. Use auto, cpu, cuda or cuda:N.") from error
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if place.type == "cuda" and (place.index or 0) >= cards:
        raise BadInput(f"there is no device {device!r}: {cards} CUDA devices are here. Use auto, cpu or one of those.")
    types = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if dtype not in {"auto", *types}:
        raise BadInput(f"there is no dtype {dtype!r}. Use auto, float32 or bfloat16.")
    own = place.type != "cpu" or cpu_multiplies_bfloat16()
    return place, types.get(dtype, "auto" if own else torch.float32)


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; without them bfloat16 is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def _load(path: Path, device: torch.device, dtype: torch.dtype | str) -> tuple[Any, Any]:
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
        model, report = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
        usable = model.dtype in _ON_CPU if device.type == "cpu" else model.dtype is not torch.float16
        model = (model if usable else model.float()).to(device)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelMissing(f"the model in {path} cannot be loaded: {error}. Check that the copy is whole.") from error
    lacking = sorted([*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])])
    if lacking:
        raise ModelMissing(f"the weights in {path} lack {lacking[0]} ({len(lacking)} in all). Copy the model again.")
    return model, tokenizer


@contextmanager
def no_bars() -> Iterator[None]:
    """Switches the library's progress bars off while it loads or saves."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@dataclass(frozen=True, eq=False)
class ModelMetadata:
    """A base model's identity, tokenizer and configuration."""

    identity: BaseIdentity
    tokenizer: PreTrainedTokenizerBase
    config: PretrainedConfig
    generation_config: Any

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        return context_of(self.config, self.tokenizer)


def load_metadata(path_or_id: str) -> ModelMetadata:
    """Reads a model folder, or hub id, without its weights. Raises ModelMissing with what to do."""
    path = find_base(path_or_id)
    identity = identify_base(path)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(path, **options)
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
        named = (path / "generation_config.json").is_file()
        generation = GenerationConfig.from_pretrained(path, local_files_only=True) if named else None
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelMissing(f"the model in {path} cannot be read: {error}. Check that the copy is whole.") from error
    return ModelMetadata(identity=identity, tokenizer=tokenizer, config=config, generation_config=generation)


def skeleton_of(metadata: ModelMetadata) -> PreTrainedModel:
    """The model's modules with the shapes of their weights, which take no memory. Raises ModelMissing."""
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(metadata.config, trust_remote_code=False)
    except (ValueError, KeyError, ImportError) as error:
        raise ModelMissing(
            f"no model can be made of this configuration: {error}. Check that the copy is whole."
        ) from error
