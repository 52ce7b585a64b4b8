"""Unpacks a GGUF file to a folder that loads like any model: bfloat16 safetensors, configuration, tokenizer.

Knows no package and no cache. bfloat16 is the type that models are published in, and keeps more than quantised weights
say. The reading is the library's (transformers 5.23 with gguf 0.19).
"""

import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers import modeling_gguf_pytorch_utils as library
from transformers.integrations.gguf import read_gguf_metadata

from pipeline import progress
from pipeline.engines.base import no_bars
from pipeline.errors import ModelMissing

FORM = "bfloat16"  # of the weights that are written
# llama.cpp's names for splitting text into single digits and, for the rest, as GPT-2 does. The library does not know
# them, and splits as GPT-2 does, which takes a blank and the digits after it for one word.
_DIGITS_ALONE = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"})
_UNREADABLE = (OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, ImportError, struct.error)


def convert(gguf: Path, out: Path) -> None:
    """Writes the model of a GGUF file into the folder `out`. Its bytes depend on the file alone, not on its place.

    Reports progress in tensors. Raises ModelMissing where the file cannot be read, or lacks weights.
    """
    progress.report(0, 1)  # what comes before the tensors takes most of the time of a small file
    with tempfile.TemporaryDirectory(prefix="sealed-gguf-") as place:
        # Alone in its folder: what lies beside it, such as another tokenizer's settings, must not be read with it.
        (Path(place) / "model.gguf").symlink_to(gguf.resolve())
        try:
            model, tokenizer = _read(Path(place))
        except _UNREADABLE as error:
            raise ModelMissing(
                f"{gguf} cannot be read as a GGUF model: {error}. Check that the copy is whole, and that transformers "
                "knows the architecture."
            ) from error
    with no_bars():
        model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    _drop_added_tokens(out / "tokenizer.json", model.config.vocab_size)
    for name in ("config.json", "generation_config.json"):
        _drop_version(out / name)
    # The library makes the weights readable for their owner alone; a cache may be shared.
    for weights in out.glob("*.safetensors"):
        shutil.copymode(out / "config.json", weights)


def _read(folder: Path) -> tuple[Any, Any]:
    options = {"gguf_file": "model.gguf", "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    _split_digits(tokenizer, folder / "model.gguf")
    # Told to dequantise, the library gives a plain model; else one that it takes for quantised and refuses to save.
    how = GgufConfig(dequantize=True)
    with _tensors_counted(), no_bars():
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, dtype=FORM, quantization_config=how, output_loading_info=True, **options
        )
    if lacking := sorted(report["missing_keys"]):
        raise ValueError(f"it lacks {lacking[0]} ({len(lacking)} in all)")
    return model, tokenizer


def _split_digits(tokenizer: Any, gguf: Path) -> None:
    metadata, _ = read_gguf_metadata(str(gguf))
    if metadata.get("tokenizer.ggml.pre") in _DIGITS_ALONE:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )


@contextmanager
def _tensors_counted() -> Iterator[None]:
    """The library shows the tensors it unpacks on a bar of its own; here they are units of the step under way."""
    shown = library.tqdm
    library.tqdm = _counted
    try:
        yield
    finally:
        library.tqdm = shown


def _counted(tensors: list[Any], desc: str) -> Iterator[Any]:
    del desc
    for done, tensor in enumerate(tensors):
        progress.report(done, len(tensors))
        yield tensor
    progress.report(len(tensors), len(tensors))


def _drop_added_tokens(path: Path, vocabulary: int) -> None:
    """Drops tokens that the library adds to any vocabulary, such as GPT-2's own: the model has no row for them."""
    found = json.loads(path.read_text(encoding="utf-8"))
    found["added_tokens"] = [token for token in found["added_tokens"] if token["id"] < vocabulary]
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _drop_version(path: Path) -> None:
    """The version of the library that wrote a configuration is no part of the model, and would change its digest."""
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        found.pop("transformers_version", None)
        path.write_text(json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
