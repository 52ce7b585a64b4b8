"""Takes in a LoRA adapter that others trained and PEFT saved: checked as ours are, and written as ours are.

Only the two files that hold it are read, and no pickle. What our format cannot say, such as DoRA, is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from pipeline.adapters.attachment import target_names, transposed
from pipeline.adapters.format import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    check_tensors,
    config_of,
    digest_directory,
    read_config,
    read_tensors,
    verify_adapter,
    write_manifest,
)
from pipeline.adapters.identity import BaseIdentity
from pipeline.digests import canonical_json, digest_file, digest_of
from pipeline.errors import BadRecipe, CorruptAdapter
from pipeline.files import new_folder
from pipeline.types import AdapterManifest

# What an adapter_config.json may say; all else of it must be unset, or does not change an answer.
_SAID = frozenset({"peft_type", "r", "lora_alpha", "target_modules", "fan_in_fan_out"})
_SILENT = frozenset(
    {"auto_mapping", "base_model_name_or_path", "inference_mode", "lora_dropout", "revision", "peft_version"}
    | {"task_type", "ensure_weight_tying", "megatron_core", "qalora_group_size"}
)
_UNSET: tuple[object, ...] = (None, False, [], {}, "none", "")
_BASE_UNTOUCHED = (None, True, False, "gaussian", "orthogonal")  # others, such as PiSSA, change the base's weights too


def take_foreign(folder: Path, base: BaseIdentity, model: Any, out: Path) -> AdapterManifest:
    """Writes the adapter of `folder` into `out` as sealed writes one, and returns its manifest.

    An adapter with our manifest is verified and must be of this base. Of another that is not known: that its keys and
    shapes fit is all that can be checked. Raises CorruptAdapter, WrongBase.
    """
    if (folder / MANIFEST).is_file():
        verify_adapter(folder, base)
    if not (folder / WEIGHTS).is_file():
        raise CorruptAdapter(f"{folder} holds no {WEIGHTS}. Give the folder of a LoRA adapter that PEFT saved so.")
    config = read_config(folder)
    _check_config(folder, config, model)
    tensors = read_tensors(folder)
    try:
        targets = target_names(model, tuple(config["target_modules"]))
    except BadRecipe as error:
        raise CorruptAdapter(f"{CONFIG} in {folder} names layers that the base does not have: {error}") from error
    rank, alpha = config["r"], config["lora_alpha"]
    with new_folder(out) as written:
        save_file(tensors, written / WEIGHTS)
        ours = config_of(rank=rank, alpha=alpha, targets=targets, transposed=transposed(model))
        (written / CONFIG).write_text(canonical_json(ours) + "\n", encoding="utf-8")
        manifest = AdapterManifest(
            base=base.model,
            tokenizer=base.tokenizer,
            chat_template=base.chat_template,
            files=digest_directory(written),
            rank=rank,
            alpha=alpha,
            target_modules=targets,
            parameters=sum(tensor.numel() for tensor in tensors.values()),
            update=digest_of("foreign", digest_file(folder / WEIGHTS), digest_file(folder / CONFIG)),
            recipe="",
            ledger="",
            parent_adapter=None,
        )
        check_tensors(tensors, manifest)
        write_manifest(written, manifest)
    return verify_adapter(out, base)


def _check_config(folder: Path, config: Mapping[str, Any], model: Any) -> None:
    """Raises CorruptAdapter unless it is a plain LoRA adapter of layers alone."""
    if config.get("peft_type") != "LORA":
        raise CorruptAdapter(f"{CONFIG} in {folder} is of a {config.get('peft_type')} adapter. Give one of LORA.")
    others = set(config) - _SAID - _SILENT - {"init_lora_weights"}
    odd = sorted(key for key in others if config[key] not in _UNSET)
    odd += [] if config.get("init_lora_weights") in _BASE_UNTOUCHED else ["init_lora_weights"]
    if odd:
        raise CorruptAdapter(
            f"{CONFIG} in {folder} sets {', '.join(odd)}, which sealed neither serves nor judges. Train it without."
        )
    numbers = (config.get("r"), config.get("lora_alpha"))
    targets = config.get("target_modules")
    if not all(type(one) is int for one in numbers) or not isinstance(targets, list) or not targets:
        raise CorruptAdapter(
            f"{CONFIG} in {folder} must give r and lora_alpha as integers, and target_modules as a list."
        )
    if bool(config.get("fan_in_fan_out")) is not transposed(model):
        raise CorruptAdapter(f"{CONFIG} in {folder} is for layers that keep their weights the other way round.")
