"""A safetensors header is read and bounded without its tensors: whatever it claims costs neither memory nor a crash."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.adapters import header
from pipeline.adapters.header import read_shapes
from pipeline.errors import CorruptAdapter

A = "base_model.model.q_proj.lora_A.weight"
ONE = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def file_of(folder: Path, text: str | dict[str, object], data: bytes = b"\0" * 24, length: int | None = None) -> Path:
    words = (text if isinstance(text, str) else json.dumps(text)).encode()
    file = folder / "adapter_model.safetensors"
    file.write_bytes((len(words) if length is None else length).to_bytes(8, "little") + words + data)
    return file


def test_the_shapes_are_those_that_the_library_wrote(tmp_path: Path) -> None:
    save_file({A: torch.zeros(2, 3), "b": torch.zeros(5, 1, dtype=torch.bfloat16)}, tmp_path / "w", {"format": "pt"})
    assert read_shapes(tmp_path / "w") == {A: (2, 3), "b": (5, 1)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({A: {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 1 << 62]}}, "holds 24 bytes"),
        ({A: ONE | {"shape": [2, 4]}}, "holds 24 bytes"),
        ({A: ONE, "b": ONE}, "holds 24 bytes"),
        ({A: ONE | {"shape": [-2, -3]}}, "tensors are of"),
        ({A: ONE | {"shape": [2.0, 3]}}, "tensors are of"),
        ({A: ONE | {"shape": [True, 6]}}, "tensors are of"),
        ({A: ONE | {"shape": [0, 3]}}, "tensors are of"),
        ({A: ONE | {"shape": "2x3"}}, "tensors are of"),
        ({A: ONE | {"dtype": "F64"}}, "tensors are of"),
        ({A: ONE | {"dtype": "I8"}}, "tensors are of"),
        ({A: ONE | {"dtype": ["F32"]}}, "tensors are of"),
        ({A: [ONE]}, "tensors are of"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": 1e999}', "not JSON"),
        ("\0\0\0\0", "not JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_header_that_is_none_or_claims_what_is_not_there_is_refused(
    tmp_path: Path, text: str | dict[str, object], says: str
) -> None:
    with pytest.raises(CorruptAdapter, match=says):
        read_shapes(file_of(tmp_path, text))


@pytest.mark.parametrize("length", [0, 1, 2**24 + 1, 2**63, 2**64 - 1])
def test_a_header_of_an_impossible_length_is_not_read(tmp_path: Path, length: int) -> None:
    with pytest.raises(CorruptAdapter, match="begins so"):
        read_shapes(file_of(tmp_path, "{}", length=length))


@pytest.mark.parametrize("size", range(9))
def test_a_file_that_ends_within_its_first_bytes_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "w").write_bytes(b"\xff" * size)
    with pytest.raises(CorruptAdapter, match="begins so"):
        read_shapes(tmp_path / "w")


def test_a_file_beyond_the_bound_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "MAX_BYTES", 40)
    with pytest.raises(CorruptAdapter, match="begins so"):
        read_shapes(file_of(tmp_path, {A: ONE}))


def test_any_bytes_are_shapes_or_a_typed_error(tmp_path: Path) -> None:
    draw = random.Random(5)
    good = file_of(tmp_path, {A: ONE, "__metadata__": {"format": "pt"}}).read_bytes()
    refused = 0
    for _ in range(3_000):
        changed = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        (tmp_path / "w").write_bytes(bytes(changed))
        try:
            read_shapes(tmp_path / "w")
        except CorruptAdapter:
            refused += 1
    assert refused > 2_000
