"""A write that fails or is killed leaves what was there, and nothing beside it that anyone would read."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.documents.sources.folder import read
from pipeline.files import new_folder, write_bytes, write_text


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)


def test_a_file_is_replaced_in_a_folder_that_is_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "recipe.toml"
    write_text(file, "seed = 1\n")
    write_text(file, "seed = 2 # é\n")
    assert file.read_bytes() == "seed = 2 # é\n".encode()
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.usefixtures("full_disk")
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "correction.md"
    file.write_text("as before", encoding="utf-8")
    with pytest.raises(OSError, match="No space left"):
        write_bytes(file, b"half")
    assert file.read_text(encoding="utf-8") == "as before"
    assert list(tmp_path.iterdir()) == [file]


def test_text_that_is_no_unicode_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_kill_in_the_middle_of_a_write_leaves_no_document(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("as before", encoding="utf-8")
    code = (
        "import os, signal, sys; from pathlib import Path; from pipeline.files import write_text\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_text(Path(sys.argv[1]), 'half')\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.md")], check=False)
    assert run.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert [(one.name, one.data) for one in read(tmp_path, 100)] == [("a.md", b"as before")]  # type: ignore[union-attr]


def test_a_folder_appears_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    for text in ("one", "two"):
        with new_folder(out) as folder:
            (folder / text).write_text(text, encoding="utf-8")
    assert [path.name for path in out.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_could_not_be_filled_leaves_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    with new_folder(out) as folder:
        (folder / "weights").write_text("whole", encoding="utf-8")
    with pytest.raises(FileNotFoundError), new_folder(out) as folder:
        (folder / "weights").write_text((folder / "nowhere").read_text(encoding="utf-8"), encoding="utf-8")
    assert (out / "weights").read_text(encoding="utf-8") == "whole"
    assert list(tmp_path.iterdir()) == [out]


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "adapter.partial-1").mkdir()
    with new_folder(tmp_path / "adapter"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
