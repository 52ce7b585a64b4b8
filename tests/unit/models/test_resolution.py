"""`find_model` takes what a user names: a packaged model, a GGUF file, a folder or a hub id, and gives a folder."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.adapters.identity import identify_base
from pipeline.engines.base import load_base
from pipeline.errors import ModelMissing
from pipeline.models import PackagedModel, catalogue, listed_models
from pipeline.models import resolution as resolving
from pipeline.models.cache import read_manifest
from pipeline.models.resolution import find_model
from tests.gguf_models import write_gguf

FIND = """
import os, signal, sys
from pipeline.models import PackagedModel, Wheel, catalogue, resolution

catalogue.CATALOGUE = (eval(sys.argv[1]),)
def die(folder):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "die":
    resolution.check_loads = die
print(resolution.find_model("tiny").folder)
"""


def find(model: PackagedModel, ending: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", FIND, repr(model), ending]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


@pytest.mark.usefixtures("index")
def test_a_packaged_model_is_fetched_made_and_kept(listed: PackagedModel, cache: Path) -> None:
    assert [model.downloaded for model in listed_models()] == [False]
    found = find_model("tiny")
    assert (found.folder, found.brings) == (cache / "tiny", None)
    assert load_base(str(found.folder), device="cpu").identity == identify_base(found.folder)
    assert (found.folder / "licence" / "LICENSE").is_file()
    assert sorted(path.name for path in cache.iterdir()) == [".tiny.lock", "tiny"]
    (model,) = listed_models()
    assert (model.downloaded, model.folder, model.folder_bytes > 50_000) == (True, found.folder, True)


def test_what_is_in_the_cache_needs_no_index(
    listed: PackagedModel, cache: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_model("tiny")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert find_model("tiny") == first


@pytest.mark.usefixtures("index")
def test_a_damaged_model_is_made_again_with_the_same_bytes(
    listed: PackagedModel, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So a workspace that was made around it works again."""
    before = identify_base(find_model("tiny").folder)
    weights = cache / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert identify_base(find_model("tiny").folder) == before
    assert "model.safetensors is missing or changed" in caplog.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"weights_digest": "0" * 64}, "other weights than the pinned ones"),
        ({"chat": False}, "should have no chat template"),
    ],
)
@pytest.mark.usefixtures("index", "cache")
def test_a_model_that_is_not_as_pinned_is_not_kept(
    changed: dict[str, object], words: str, tiny: PackagedModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "CATALOGUE", (replace(tiny, **changed),))
    with pytest.raises(ModelMissing, match=words):
        find_model("tiny")
    assert not (cache / "tiny").exists()


@pytest.mark.usefixtures("index", "listed", "cache")
def test_a_model_that_does_not_answer_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.models.acceptance.ANSWER", "Atlantis")
    with pytest.raises(ModelMissing, match=r"the model says '.*Paris.*', not 'Atlantis'"):
        find_model("tiny")
    assert not (cache / "tiny").exists()


def test_a_kill_before_the_end_leaves_no_model_and_the_next_call_does_not_download(
    listed: PackagedModel, cache: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = find(listed, "die")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not (cache / "tiny").exists()
    assert [model.downloaded for model in listed_models()] == [False]
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert find_model("tiny").folder == cache / "tiny"
    assert sorted(path.name for path in cache.iterdir()) == [".tiny.lock", "tiny"]


@pytest.mark.usefixtures("index")
def test_two_at_once_find_the_same_model(listed: PackagedModel, cache: Path) -> None:
    both = [find(listed, "live") for _ in range(2)]
    said = [one.communicate(timeout=120)[0].strip() for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert said == [str(cache / "tiny")] * 2


def test_a_gguf_file_is_made_once_whatever_its_name(gguf_file: Path, cache: Path, tmp_path: Path) -> None:
    folder = find_model(str(gguf_file)).folder
    assert load_base(str(folder), device="cpu").context == 256
    copy = Path(shutil.copy(gguf_file, tmp_path / "copy.gguf"))
    assert find_model(str(copy)).folder == folder
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.source.origin == str(gguf_file)
    assert [model.name for model in listed_models() if model.downloaded] == [folder.name]


def test_a_gguf_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"there is no file .*nothing\.gguf"):
        find_model(str(tmp_path / "nothing.gguf"))


def test_a_gguf_file_that_computes_no_numbers_is_not_kept(
    taught: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(taught, tmp_path / "broken"))
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelMissing, match="not finite"):
        find_model(str(write_gguf(broken, tmp_path / "broken.gguf")))
    assert [path.name for path in cache.iterdir() if not path.name.startswith(".")] == []


def test_a_folder_is_itself_and_brings_what_lies_in_it(taught: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(taught, tmp_path / "model"))
    assert find_model(str(folder)).brings is None
    (folder / "sealed").mkdir()
    found = find_model(str(folder))
    assert (found.folder, found.brings) == (folder, folder / "sealed")


def test_a_name_of_the_catalogue_is_the_packaged_model_and_a_path_is_the_folder(
    listed: PackagedModel, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(shutil.copytree(taught, tmp_path / "tiny"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolving, "_packaged_folder", lambda model: Path("packaged"))
    assert find_model("tiny").folder == Path("packaged")
    assert find_model("./tiny").folder == Path("tiny")


def test_a_hub_id_that_is_not_cached_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelMissing, match="local cache"):
        find_model("nobody/nothing-of-the-kind")
