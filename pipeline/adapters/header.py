"""What a safetensors file says it holds, read and bounded before a tensor of it is loaded.

An adapter's keys, rank, shapes and size are known from here, so that a file that claims too much costs no memory.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import CorruptAdapter
from pipeline.types import AdapterManifest

MAX_RANK = 64
MAX_BYTES = 16 * 2**30  # of the weights: rank 64 on all layers of the largest open models takes about half
AGAIN = "Fetch the release's adapter again, or roll back."
_MAX_HEADER = 16 * 2**20
_ITEM = {"F32": 4, "BF16": 2, "F16": 2}  # bytes of one element
_KEY = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_(?P<side>[AB])\.weight")

Shapes = Mapping[str, tuple[int, ...]]


def read_shapes(weights: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor by its key. Reads the file's header alone.

    Raises CorruptAdapter where that is no header, a tensor is not of a type that adapters have, or the file has not the
    size that its tensors need.
    """
    header, left = _read(weights)
    header.pop("__metadata__", None)
    shapes, bytes_needed = dict[str, tuple[int, ...]](), 0
    for key, entry in header.items():
        shapes[key], size = _entry(key, entry)
        bytes_needed += size
    if bytes_needed != left:
        raise CorruptAdapter(
            f"{weights.name} holds {left} bytes of tensors, and its header names {bytes_needed}. {AGAIN}"
        )
    return shapes


def check_shapes(shapes: Shapes, manifest: AdapterManifest) -> None:
    """Checks keys (A and B of each targeted layer), shapes (by the rank) and how many parameters they come to.

    Raises CorruptAdapter.
    """
    sides: dict[str, set[str]] = {}
    for key, shape in shapes.items():
        match = _KEY.fullmatch(key)
        if not match or not _targeted(match["layer"], manifest.target_modules):
            raise CorruptAdapter(f"the adapter holds {key!r}, which is no LoRA weight of its targets. {AGAIN}")
        sides.setdefault(match["layer"], set()).add(match["side"])
        if len(shape) != 2 or shape[0 if match["side"] == "A" else 1] != manifest.rank:
            raise CorruptAdapter(f"{key!r} is of shape {shape}: not of rank {manifest.rank}. {AGAIN}")
    lone = [layer for layer, found in sides.items() if found != {"A", "B"}]
    if lone or not sides:
        raise CorruptAdapter(f"the adapter lacks a half of {lone[0] if lone else 'every layer'}. {AGAIN}")
    if sum(map(math.prod, shapes.values())) != manifest.parameters:
        raise CorruptAdapter(f"the adapter does not hold the {manifest.parameters} parameters of its manifest. {AGAIN}")


def json_object(text: str, name: str) -> dict[str, Any]:
    """The JSON object in `text`. Raises CorruptAdapter where it is none, a key stands twice, or a number is none."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise CorruptAdapter(f"{name} is not JSON: {error}. {AGAIN}") from error
    if not isinstance(found, dict):
        raise CorruptAdapter(f"{name} is not a JSON object. {AGAIN}")
    return found


def _read(weights: Path) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes come after it."""
    try:
        with weights.open("rb") as stream:
            size, length = weights.stat().st_size, int.from_bytes(stream.read(8), "little")
            if size > MAX_BYTES or not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise CorruptAdapter(
                    f"{weights.name} cannot be read: no safetensors of at most {MAX_BYTES >> 30} GiB begins so. {AGAIN}"
                )
            return json_object(stream.read(length).decode("utf-8"), weights.name), size - 8 - length
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptAdapter(f"{weights.name} cannot be read: {error}. {AGAIN}") from error


def _entry(key: str, entry: object) -> tuple[tuple[int, ...], int]:
    """A tensor's shape, and how many bytes it takes."""
    shape = entry.get("shape") if isinstance(entry, dict) else None
    item = _ITEM.get(str(entry.get("dtype"))) if isinstance(entry, dict) else None
    if item is None or not isinstance(shape, list) or any(type(one) is not int or one < 1 for one in shape):
        raise CorruptAdapter(f"{key!r} is {str(entry)[:200]}: an adapter's tensors are of {', '.join(_ITEM)}. {AGAIN}")
    return tuple(shape), math.prod(shape) * item


def _targeted(layer: str, targets: tuple[str, ...]) -> bool:
    return any(layer == target or layer.endswith(f".{target}") for target in targets)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _number(written: str) -> float:
    found = float(written)
    if not math.isfinite(found):
        raise ValueError(f"{written[:20]} is no number")
    return found
