"""Takes in a LoRA adapter that others trained and PEFT saved: checked as ours are, and written as ours are.

Only the two files that hold it are read, and no pickle. What our format cannot say, such as DoRA, is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.adapters.attachment import transposed
from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, read_config, read_tensors, verify_adapter
from pipeline.adapters.identity import BaseIdentity
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter
from pipeline.digests import digest_file, digest_of
from pipeline.errors import BadRecipe, CorruptAdapter
from pipeline.recipe import TrainingRules
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
    shape = {"rank": config["r"], "alpha": config["lora_alpha"], "targets": tuple(config["target_modules"])}
    made_from = Provenance(
        update=digest_of("foreign", digest_file(folder / WEIGHTS), digest_file(folder / CONFIG)),
        recipe="",
        ledger="",
        parent_adapter=None,
    )
    result = TrainingResult(tensors=tensors, steps=0, final_loss=0.0, tokens=0)
    try:
        save_adapter(out, base, model, result, TrainingRules().model_copy(update=shape), made_from)
    except BadRecipe as error:
        raise CorruptAdapter(f"{CONFIG} in {folder} names layers that the base does not have: {error}") from error
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
