"""Says which base model a folder holds, by the bytes of its files. Loads nothing, and knows no library of models."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.digests import digest_bytes, digest_file, digest_of
from pipeline.errors import ModelMissing
from pipeline.nesting import json_of

_JSON = ("tokenizer", "tokenizer_config", "special_tokens_map", "added_tokens", "vocab")
_TOKENIZER = (*(f"{name}.json" for name in _JSON), "tokenizer.model", "vocab.txt", "merges.txt", "spiece.model")
_MODEL = ("config.json", "generation_config.json")
_ADAPTER = "adapter_config.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")


@dataclass(frozen=True)
class BaseIdentity:
    """Digests of a base model's weights and configuration, of its tokenizer's files and of its chat template."""

    model: str
    tokenizer: str
    chat_template: str

    @property
    def digest(self) -> str:
        """The base model by content: its weights, tokenizer and chat template."""
        return digest_of("base", self.model, self.tokenizer, self.chat_template)


def identify_base(path: Path) -> BaseIdentity:
    """Hashes the files that decide what the model says. Raises ModelMissing with what to do."""
    weights = check_files(path)
    present = [path / name for name in _MODEL if (path / name).is_file()]
    indexes = sorted(path.glob("*.safetensors.index.json"))
    return BaseIdentity(
        model=_digest([*weights, *present, *indexes]),
        tokenizer=_digest([path / name for name in _TOKENIZER if (path / name).is_file()]),
        chat_template=digest_bytes(chat_template(path).encode()),
    )


def check_files(path: Path) -> list[Path]:
    """The weight files of a usable model folder, by name. Raises ModelMissing where there is none."""
    if not path.is_dir():
        raise ModelMissing(
            f"there is no model folder {path}. Give the path of a Hugging Face model, or its hub id. One that lay in "
            "the cache is made again by `sealed models add NAME`."
        )
    if not (path / "config.json").is_file():
        raise ModelMissing(f"{path} holds no config.json, so it is no Hugging Face model. Point at the model's folder.")
    if not any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")):
        raise ModelMissing(f"{path} holds no tokenizer. Save the model's tokenizer into the same folder.")
    weights = sorted(path.glob("*.safetensors"))
    if weights:
        _expect_own_weights(path, {file.name for file in weights})
        return weights
    if any(found for pattern in _PICKLES for found in path.glob(pattern)):
        raise ModelMissing(
            f"{path} holds weights in a pickle format only, which can run code when loaded and is refused. "
            "Convert them: save_pretrained() writes safetensors."
        )
    raise ModelMissing(f"{path} holds no *.safetensors weights. Download or copy the model again.")


def _expect_own_weights(path: Path, weights: set[str]) -> None:
    """Raises ModelMissing where the library would load something other than these files, which alone are hashed.

    It follows an index to any file, a pickle or one elsewhere included; it takes the file that `config.json` names; and
    it loads an adapter that lies beside the model (transformers 5.23).
    """
    if (path / _ADAPTER).is_file():
        raise ModelMissing(
            f"{path} holds an adapter beside the model ({_ADAPTER}), which would be loaded with it. Merge it into the "
            "weights, or take it out of the folder and judge it with `sealed gates run`."
        )
    if "transformers_weights" in _object(path / "config.json"):
        raise ModelMissing(f"config.json in {path} names a file of weights (transformers_weights). Take that line out.")
    for index in sorted(path.glob("*.safetensors.index.json")):
        named = _object(index).get("weight_map")
        if not isinstance(named, dict) or (odd := [str(one) for one in named.values() if one not in weights]):
            raise ModelMissing(
                f"{index} names {odd[0] if isinstance(named, dict) else 'no file'}, and not only the *.safetensors "
                "files beside it. Copy the model again."
            )


def _object(file: Path) -> dict[str, object]:
    try:
        found = json_of(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelMissing(f"{file} cannot be read: {error}. Copy the model again.") from error
    if not isinstance(found, dict):
        raise ModelMissing(f"{file} is not a JSON object. Copy the model again.")
    return found


def chat_template(path: Path) -> str:
    """The template's text as the folder holds it; empty where there is none. Raises ModelMissing if unreadable."""
    separate, config = path / "chat_template.jinja", path / "tokenizer_config.json"
    try:
        if separate.is_file():
            return separate.read_text(encoding="utf-8")
        found = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
    except (ValueError, AttributeError) as error:
        raise ModelMissing(
            f"{config.name} or {separate.name} in {path} is damaged: {error}. Copy the model again."
        ) from error
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True) if found else ""


def _digest(files: list[Path]) -> str:
    return digest_of("files", [[file.name, _hash(file)] for file in sorted(files)])


def _hash(file: Path) -> str:
    try:
        found = file.stat()
        return _hash_as_of(file.resolve(), found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise ModelMissing(f"cannot read {file}: {error.strerror}. Check its permissions, or copy it again.") from error


@lru_cache(maxsize=256)
def _hash_as_of(file: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # part of the cache's key only: a changed file is hashed again
    return digest_file(file)
