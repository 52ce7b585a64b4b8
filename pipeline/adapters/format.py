"""An adapter on disk: its manifest and its verification, since PEFT loads damaged and foreign ones silently.

Knows no loaded model, no training and no release.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.adapters.identity import BaseIdentity
from pipeline.digests import canonical_json, digest_file
from pipeline.errors import CorruptAdapter, WrongBase
from pipeline.nesting import json_of
from pipeline.types import AdapterManifest, FileDigest

if TYPE_CHECKING:
    import torch  # loaded where values are looked at: a rollback compares bytes, and does not wait for it

MANIFEST = "sealed-manifest.json"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 64
MAX_SCALE = 4.0  # alpha / rank
MAX_VALUE = 100.0  # of one element
_KEY = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_(?P<side>[AB])\.weight")
AGAIN = "Fetch the release's adapter again, or roll back."


def config_of(*, rank: int, alpha: int, targets: tuple[str, ...], transposed: bool) -> dict[str, object]:
    """The only `adapter_config.json` we write and accept. It names no base: that is in the manifest, by content."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": None,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(targets),
        "fan_in_fan_out": transposed,
        "inference_mode": True,
    }


def digest_directory(folder: Path) -> tuple[FileDigest, ...]:
    """Names, sizes and digests of the adapter's files, without the manifest."""
    return tuple(
        FileDigest(name=name, size=(folder / name).stat().st_size, sha256=digest_file(folder / name))
        for name in (CONFIG, WEIGHTS)
    )


def write_manifest(folder: Path, manifest: AdapterManifest) -> None:
    """Writes the manifest as canonical JSON; written last, it says that the directory is whole."""
    (folder / MANIFEST).write_text(canonical_json(asdict(manifest)) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> AdapterManifest:
    """Reads a manifest. Raises CorruptAdapter unless it is exactly what `write_manifest` writes."""
    text = _text(folder / MANIFEST)
    found = _object(text, MANIFEST)
    try:
        files = tuple(FileDigest(**file) for file in found.pop("files"))
        targets = tuple(found.pop("target_modules"))
        manifest = AdapterManifest(files=files, target_modules=targets, **found)
        same = canonical_json(asdict(manifest)) + "\n" == text
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptAdapter(f"{MANIFEST} in {folder} is no manifest: {error}. {AGAIN}") from error
    if not same or not _typed(manifest):
        raise CorruptAdapter(f"{MANIFEST} in {folder} is not written as sealed writes it. {AGAIN}")
    return manifest


def verify_adapter(folder: Path, base: BaseIdentity, expected_manifest_digest: str | None = None) -> AdapterManifest:
    """Checks everything that can be known without the base's weights, and returns the manifest.

    Raises CorruptAdapter (files, bytes, configuration, keys, shapes, values) or WrongBase.
    """
    manifest = verify_files(folder, base, expected_manifest_digest)
    check_tensors(read_tensors(folder), manifest)
    return manifest


def verify_files(folder: Path, base: BaseIdentity, expected_manifest_digest: str | None = None) -> AdapterManifest:
    """Checks that the bytes are those that the manifest lists, for this base, and returns the manifest.

    Enough where a manifest of this digest was verified wholly before: the same bytes hold the same values. Loads no
    torch. Raises CorruptAdapter or WrongBase.
    """
    try:
        return _verify_files(folder, base, expected_manifest_digest)
    except OSError as error:
        # Somebody moves it while it is read.
        raise CorruptAdapter(f"the adapter in {folder} cannot be read: {error.strerror}. {AGAIN}") from error


def _verify_files(folder: Path, base: BaseIdentity, expected_manifest_digest: str | None) -> AdapterManifest:
    _check_files(folder)
    manifest = read_manifest(folder)
    if expected_manifest_digest not in (None, manifest.digest):
        raise CorruptAdapter(
            f"the adapter in {folder} is not the one asked for: its manifest is {manifest.digest[:12]}, "
            f"not {str(expected_manifest_digest)[:12]}. {AGAIN}"
        )
    _check_base(folder, manifest, base)
    if digest_directory(folder) != manifest.files:
        raise CorruptAdapter(f"the files in {folder} are not the ones its manifest lists: bytes changed. {AGAIN}")
    _check_config(folder, manifest)
    return manifest


def read_tensors(folder: Path) -> "dict[str, torch.Tensor]":
    """The adapter's tensors by key, on the CPU. Raises CorruptAdapter where the file is no safetensors."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(folder / WEIGHTS))
    except (SafetensorError, OSError) as error:
        raise CorruptAdapter(f"{WEIGHTS} in {folder} cannot be read: {error}. {AGAIN}") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's PEFT configuration as it stands in the file. Raises CorruptAdapter where that is no JSON object."""
    return _object(_text(folder / CONFIG), CONFIG)


def check_tensors(tensors: "Mapping[str, torch.Tensor]", manifest: AdapterManifest) -> None:
    """Checks keys (A and B of each targeted layer), shapes (by the rank) and values (finite, at most MAX_VALUE).

    Raises CorruptAdapter.
    """
    sides: dict[str, set[str]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if not match or not _targeted(match["layer"], manifest.target_modules):
            raise CorruptAdapter(f"the adapter holds {key!r}, which is no LoRA weight of its targets. {AGAIN}")
        sides.setdefault(match["layer"], set()).add(match["side"])
        _check_values(key, tensor, tensor.shape[0 if match["side"] == "A" else -1], manifest.rank)
    lone = [layer for layer, found in sides.items() if found != {"A", "B"}]
    if lone or not sides:
        raise CorruptAdapter(f"the adapter lacks a half of {lone[0] if lone else 'every layer'}. {AGAIN}")
    if sum(tensor.numel() for tensor in tensors.values()) != manifest.parameters:
        raise CorruptAdapter(f"the adapter does not hold the {manifest.parameters} parameters of its manifest. {AGAIN}")


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise CorruptAdapter(f"there is no adapter directory {folder}. {AGAIN}")
    found = {entry.name for entry in folder.iterdir()}
    if found != {MANIFEST, CONFIG, WEIGHTS}:
        odd = ", ".join(sorted(found ^ {MANIFEST, CONFIG, WEIGHTS}))
        raise CorruptAdapter(f"{folder} does not hold exactly an adapter's three files: see {odd}. {AGAIN}")
    if any(entry.is_symlink() or not entry.is_file() for entry in folder.iterdir()):
        raise CorruptAdapter(f"{folder} holds something that is no plain file. {AGAIN}")


def _check_base(folder: Path, manifest: AdapterManifest, base: BaseIdentity) -> None:
    for name, theirs, ours in (
        ("model", manifest.base, base.model),
        ("tokenizer", manifest.tokenizer, base.tokenizer),
        ("chat template", manifest.chat_template, base.chat_template),
    ):
        if theirs != ours:
            raise WrongBase(
                f"the adapter in {folder} was trained for another {name} ({theirs[:12]}, this base's is {ours[:12]}). "
                "Use the base it was made for, or train again on this one."
            )


def _check_config(folder: Path, manifest: AdapterManifest) -> None:
    config = read_config(folder)
    rank, alpha = manifest.rank, manifest.alpha
    flipped = config.get("fan_in_fan_out") is True
    expected = config_of(rank=rank, alpha=alpha, targets=manifest.target_modules, transposed=flipped)
    if canonical_json(config) != canonical_json(expected):
        odd = sorted(key for key in {*config, *expected} if config.get(key) != expected.get(key))
        raise CorruptAdapter(f"{CONFIG} in {folder} says something unexpected of {', '.join(odd)}. {AGAIN}")
    if not 1 <= rank <= MAX_RANK or not 0 < alpha <= MAX_SCALE * rank:
        raise CorruptAdapter(f"{folder}: rank {rank} (at most {MAX_RANK}), alpha {alpha} (at most 4 x rank). {AGAIN}")


def _check_values(key: str, tensor: "torch.Tensor", rank: int, expected: int) -> None:
    import torch

    if tensor.dim() != 2 or rank != expected or tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise CorruptAdapter(f"{key} is {tuple(tensor.shape)} of {tensor.dtype}: not of rank {expected}. {AGAIN}")
    if not bool(torch.isfinite(tensor).all()):
        raise CorruptAdapter(f"{key} holds values that are not finite. {AGAIN}")
    if float(tensor.abs().max()) > MAX_VALUE:
        raise CorruptAdapter(f"{key} holds a value beyond {MAX_VALUE:g}. {AGAIN}")


def _targeted(layer: str, targets: tuple[str, ...]) -> bool:
    return any(layer == target or layer.endswith(f".{target}") for target in targets)


def _typed(manifest: AdapterManifest) -> bool:
    numbers = (manifest.rank, manifest.alpha, manifest.parameters)
    names = [file.name for file in manifest.files]
    return all(type(number) is int for number in numbers) and names == [CONFIG, WEIGHTS]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptAdapter(f"{path} cannot be read: {error}. {AGAIN}") from error


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json_of(text)
    except ValueError as error:
        raise CorruptAdapter(f"{name} is not JSON: {error}. {AGAIN}") from error
    if not isinstance(found, dict):
        raise CorruptAdapter(f"{name} is not a JSON object. {AGAIN}")
    return found
