"""A folder of the cache is whole, or made again: after damage, after a kill, and by one of two that come at once."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.models.cache import MANIFEST, ModelSource, model_folder, models_folder, read_manifest

SOURCE = ModelSource(name="tiny", origin="tiny-model==1.0", digest="d" * 64, licence="MIT", form="bfloat16")
MAKE = """
import os, signal, sys, time
from pathlib import Path
from pipeline.models.cache import ModelSource, model_folder

def make(folder):
    with Path(sys.argv[1]).open("a") as stream:
        stream.write("made\\n")
    (folder / "config.json").write_text("{}")
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(1.0)
    (folder / "model.safetensors").write_text("weights")

source = ModelSource(name="tiny", origin="tiny-model==1.0", digest="d" * 64, licence="MIT", form="bfloat16")
print(model_folder(source, make))
"""


def fill(folder: Path) -> None:
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "licence").mkdir()
    (folder / "licence" / "LICENSE").write_text("do as you like", encoding="utf-8")


def never(folder: Path) -> None:
    raise AssertionError(f"{folder} is made although the cache holds it")


def test_a_folder_is_made_once(cache: Path) -> None:
    made = model_folder(SOURCE, fill)
    assert made == cache / "tiny"
    assert model_folder(SOURCE, never) == made
    manifest = read_manifest(made)
    assert manifest is not None
    assert [file.name for file in manifest.files] == ["config.json", "licence/LICENSE"]
    assert manifest.size == len("{}do as you like")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json is missing or changed"),
        (lambda folder: (folder / "licence" / "LICENSE").unlink(), "licence/LICENSE is missing or changed"),
        (lambda folder: (folder / "tokenizer.model").write_text("x"), "it holds tokenizer.model"),
        (lambda folder: (folder / MANIFEST).write_text("{"), f"it has no {MANIFEST}"),
        (lambda folder: (folder / MANIFEST).unlink(), f"it has no {MANIFEST}"),
        (lambda folder: (folder / MANIFEST).write_text(json.dumps({"files": [{}]})), f"it has no {MANIFEST}"),
    ],
)
def test_damage_is_named_and_the_folder_made_again(
    damage: Callable[[Path], object], words: str, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = model_folder(SOURCE, fill)
    damage(folder)
    with caplog.at_level(logging.WARNING, "sealed"):
        assert model_folder(SOURCE, fill) == folder
    assert words in caplog.text
    assert str(folder) in caplog.text
    assert model_folder(SOURCE, never) == folder


def test_a_folder_made_from_other_bytes_is_made_again(cache: Path) -> None:
    folder = model_folder(SOURCE, fill)
    newer = ModelSource(name="tiny", origin="tiny-model==2.0", digest="e" * 64, licence="MIT", form="bfloat16")
    model_folder(newer, fill)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.source == newer


def test_a_folder_with_weights_of_another_type_is_made_again(cache: Path) -> None:
    """What is computed with the same file would else differ from machine to machine."""
    folder = model_folder(replace(SOURCE, form="float32"), fill)
    model_folder(SOURCE, fill)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.source.form == "bfloat16"


def test_a_hidden_file_is_no_damage(cache: Path) -> None:
    folder = model_folder(SOURCE, fill)
    (folder / ".DS_Store").write_text("x", encoding="utf-8")
    assert model_folder(SOURCE, never) == folder


def test_what_could_not_be_made_leaves_nothing_that_counts(cache: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        model_folder(SOURCE, fail)
    assert [path.name for path in cache.iterdir()] == [".tiny.lock"]


def run(ending: str, log: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", MAKE, str(log), ending]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def test_a_kill_half_way_leaves_nothing_that_counts_as_made(cache: Path, tmp_path: Path) -> None:
    killed = run("die", tmp_path / "log")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not (cache / "tiny").exists()
    assert model_folder(SOURCE, fill) == cache / "tiny"
    assert sorted(path.name for path in cache.iterdir()) == [".tiny.lock", "tiny"]


def test_of_two_at_once_one_makes_it_and_the_other_waits(cache: Path, tmp_path: Path) -> None:
    both = [run("live", tmp_path / "log") for _ in range(2)]
    said = [one.communicate(timeout=60)[0].strip() for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert said == [str(cache / "tiny")] * 2
    assert (tmp_path / "log").read_text() == "made\n"


def test_the_cache_lies_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SEALED_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models_folder().is_relative_to(tmp_path)
    assert models_folder().parts[-2:] == ("sealed", "models")
    monkeypatch.setenv("SEALED_CACHE", "")
    assert models_folder().is_relative_to(tmp_path)


def test_a_relative_cache_is_one_place_whoever_reads_it_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEALED_CACHE", "here")
    assert models_folder() == tmp_path / "here" / "models"
