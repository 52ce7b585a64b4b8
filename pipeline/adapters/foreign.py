"""Takes in a LoRA adapter that others trained and PEFT saved: checked as ours are, and written as ours are.

Only the two files that hold it are read, and no pickle. What our format cannot say, such as DoRA, is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.adapters.attachment import linear_layers, transposed
from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, read_config, read_tensors, verify_adapter
from pipeline.adapters.header import MAX_RANK, read_shapes
from pipeline.adapters.identity import BaseIdentity
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter
from pipeline.adapters.stack import shapes_of
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
        raise CorruptAdapter(
            f"{folder} holds no {WEIGHTS}. Give a LoRA adapter that PEFT saved so; a pickle is not opened."
        )
    config = read_config(folder)
    _check_config(folder, config, model)
    _check_shapes(folder, config, model)
    tensors = read_tensors(folder)
    shape = {"rank": config["r"], "alpha": config["lora_alpha"], "targets": tuple(config["target_modules"])}
    made_from = Provenance(
        update=digest_of("foreign", digest_file(folder / WEIGHTS), digest_file(folder / CONFIG)),
        recipe="",
        ledger="",
        parent_adapter=None,
    )
    result = TrainingResult(tensors=tensors, steps=0, final_loss=0.0, tokens=0)
    save_adapter(out, base, model, result, TrainingRules().model_copy(update=shape), made_from)
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
    if not all(type(one) is int for one in numbers) or not _named(targets):
        raise CorruptAdapter(
            f"{CONFIG} in {folder} must give r and lora_alpha as integers, and target_modules as a list of names."
        )
    if bool(config.get("fan_in_fan_out")) is not transposed(model):
        raise CorruptAdapter(f"{CONFIG} in {folder} is for layers that keep their weights the other way round.")


def _check_shapes(folder: Path, config: Mapping[str, Any], model: Any) -> None:
    """Raises CorruptAdapter unless each tensor has the shape that a targeted layer of the base asks for.

    Read from the header: nothing that does not fit is loaded. A layer that lacks its tensors is integrity's to judge.
    """
    rank = int(config["r"])
    if not 1 <= rank <= MAX_RANK:
        raise CorruptAdapter(f"{CONFIG} in {folder} gives rank {rank}. At most {MAX_RANK} is served.")
    try:
        wanted = shapes_of(linear_layers(model, tuple(config["target_modules"])), rank)
    except BadRecipe as error:
        raise CorruptAdapter(f"{CONFIG} in {folder} names layers that the base does not have: {error}") from error
    for key, shape in read_shapes(folder / WEIGHTS).items():
        if key not in wanted:
            raise CorruptAdapter(f"{WEIGHTS} in {folder} holds {key!r}, which is no LoRA weight of its targets.")
        if shape != wanted[key]:
            raise CorruptAdapter(f"{key} in {folder} is of shape {shape}, not of rank {rank} on this base's layer.")


def _named(targets: object) -> bool:
    """Whether these are names, each once: a list that repeats them would be compared with all layers for nothing."""
    if not isinstance(targets, list) or not all(isinstance(one, str) for one in targets):
        return False
    return 0 < len(targets) == len(set(targets))
