"""An adapter on disk: its manifest and its verification, since PEFT loads damaged and foreign ones silently.

Knows no loaded model, no training and no release.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.adapters.header import AGAIN, MAX_BYTES, MAX_RANK, check_shapes, json_object, read_shapes
from pipeline.adapters.identity import BaseIdentity
from pipeline.digests import canonical_json, digest_file
from pipeline.errors import CorruptAdapter, WrongBase
from pipeline.types import AdapterManifest, FileDigest

if TYPE_CHECKING:
    import torch  # loaded where values are looked at: a rollback compares bytes, and does not wait for it

MANIFEST = "sealed-manifest.json"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_SCALE = 4.0  # alpha / rank
MAX_VALUE = 100.0  # of one element
_MAX_TEXT = 2**20  # bytes of the manifest and of the configuration


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
    found = json_object(text, MANIFEST)
    try:
        files = tuple(FileDigest(**file) for file in found.pop("files"))
        targets = tuple(found.pop("target_modules"))
        manifest = AdapterManifest(files=files, target_modules=targets, **found)
        same = canonical_json(asdict(manifest)) + "\n" == text
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CorruptAdapter(f"{MANIFEST} in {folder} is no manifest: {error}. {AGAIN}") from error
    if not same or not _typed(manifest):
        raise CorruptAdapter(f"{MANIFEST} in {folder} is not written as sealed writes it. {AGAIN}")
    return manifest


def verify_adapter(folder: Path, base: BaseIdentity, expected_manifest_digest: str | None = None) -> AdapterManifest:
    """Checks everything that can be known without the base's weights, and returns the manifest.

    Raises CorruptAdapter (files, bytes, configuration, keys, shapes, values) or WrongBase.
    """
    manifest = verify_files(folder, base, expected_manifest_digest)
    check_shapes(read_shapes(folder / WEIGHTS), manifest)
    _check_values(read_tensors(folder))
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
    return json_object(_text(folder / CONFIG), CONFIG)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise CorruptAdapter(f"there is no adapter directory {folder}. {AGAIN}")
    found = {entry.name for entry in folder.iterdir()}
    if found != {MANIFEST, CONFIG, WEIGHTS}:
        odd = ", ".join(sorted(found ^ {MANIFEST, CONFIG, WEIGHTS}))
        raise CorruptAdapter(f"{folder} does not hold exactly an adapter's three files: see {odd}. {AGAIN}")
    if any(entry.is_symlink() or not entry.is_file() for entry in folder.iterdir()):
        raise CorruptAdapter(f"{folder} holds something that is no plain file. {AGAIN}")
    most = {MANIFEST: _MAX_TEXT, CONFIG: _MAX_TEXT, WEIGHTS: MAX_BYTES}
    if large := [name for name in sorted(most) if (folder / name).stat().st_size > most[name]]:
        raise CorruptAdapter(f"{large[0]} in {folder} has more than {most[large[0]]} bytes. {AGAIN}")


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
    if not _same(config, expected):
        odd = sorted(key for key in {*config, *expected} if config.get(key) != expected.get(key))
        raise CorruptAdapter(f"{CONFIG} in {folder} says something unexpected of {', '.join(odd)}. {AGAIN}")
    if not 1 <= rank <= MAX_RANK or not 0 < alpha <= MAX_SCALE * rank:
        raise CorruptAdapter(f"{folder}: rank {rank} (at most {MAX_RANK}), alpha {alpha} (at most 4 x rank). {AGAIN}")


def _check_values(tensors: "Mapping[str, torch.Tensor]") -> None:
    for key, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise CorruptAdapter(f"{key} holds values that are not finite. {AGAIN}")
        if float(tensor.abs().max()) > MAX_VALUE:
            raise CorruptAdapter(f"{key} holds a value beyond {MAX_VALUE:g}. {AGAIN}")


def _same(config: Mapping[str, object], expected: Mapping[str, object]) -> bool:
    """Whether both are one JSON text: to Python 1 is True as well."""
    try:
        return canonical_json(config) == canonical_json(expected)
    except RecursionError:
        return False


def _typed(manifest: AdapterManifest) -> bool:
    """Whether each field holds what it is declared to hold, which is not checked when it is made."""
    numbers = (manifest.rank, manifest.alpha, manifest.parameters, *(file.size for file in manifest.files))
    texts = (manifest.base, manifest.tokenizer, manifest.chat_template, manifest.update, manifest.recipe)
    more = (manifest.ledger, *manifest.target_modules, *([manifest.parent_adapter] if manifest.parent_adapter else []))
    whole = all(type(number) is int for number in numbers) and all(type(one) is str for one in (*texts, *more))
    return whole and [file.name for file in manifest.files] == [CONFIG, WEIGHTS]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_TEXT:
            raise CorruptAdapter(f"{path} has more than {_MAX_TEXT} bytes. {AGAIN}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptAdapter(f"{path} cannot be read: {error}. {AGAIN}") from error
