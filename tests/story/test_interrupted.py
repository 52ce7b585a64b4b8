"""Ctrl-C at a terminal: the signal goes to the command and to all that it started."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.story.conftest import SEALED
from tests.story.running import Sealed

pytestmark = pytest.mark.slow


def test_an_interrupted_update_ends_without_a_traceback_and_is_resumed(tmp_path: Path, sealed: Sealed) -> None:
    workspace, documents = tmp_path / "workspace", tmp_path / "runs"
    assert sealed("init", str(workspace)).code == 0
    assert sealed("sandbox", "documents", "--runs", "1", "--per-run", "8", str(documents)).code == 0
    with subprocess.Popen(
        [str(SEALED), "update", "-w", str(workspace), str(documents / "run-1")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stderr
        said = []
        for line in command.stderr:
            said.append(line)
            if line.startswith("training the adapter: begins"):
                os.killpg(command.pid, signal.SIGINT)
        code = command.wait(60)
    assert code == 130, "".join(said)
    assert "Traceback" not in "".join(said)
    assert said[-1] == "sealed: stopped. What was done is kept: run the same command again to go on.\n"
    status = sealed("status", "--json", workspace=workspace).json
    assert status["next_step"] == "`sealed update` goes on with the interrupted run"
