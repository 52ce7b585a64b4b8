"""Private copies of adapters do not outlast the process that made them for long, and never die before it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.adapters.copies import PrivateCopies, remove_leftovers

ROOT = Path(__file__).parents[3]
MADE = "from pipeline.adapters.copies import PrivateCopies; it = PrivateCopies(); print(it._root, flush=True); input()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_is_removed_when_the_next_one_begins(temporary: Path) -> None:
    env = {**os.environ, "TMPDIR": str(temporary)}
    child = subprocess.Popen(
        [sys.executable, "-c", MADE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env
    )
    assert child.stdout is not None
    theirs = Path(child.stdout.readline().strip())
    assert theirs.parent == temporary
    assert remove_leftovers() == ()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert theirs.exists()
    mine = PrivateCopies()
    assert list(temporary.iterdir()) == [mine._root]


def test_no_link_and_no_file_is_taken_for_a_leftover(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / "sealed-copies-link").symlink_to(temporary / "elsewhere")
    (temporary / "sealed-copies-file").write_text("", "utf-8")
    assert remove_leftovers() == ()
    assert (temporary / "elsewhere").exists()
