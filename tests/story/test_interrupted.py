"""Ctrl-C at a terminal: the signal goes to the command and to all that it started."""

import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.prefect_servers import wait_for
from tests.story.conftest import SEALED
from tests.story.running import Sealed

pytestmark = pytest.mark.slow
AS_AT_A_TERMINAL = ("env", "--default-signal=INT")  # a shell lets what it starts in the background ignore the signal


def test_an_interrupted_update_ends_without_a_traceback_and_prefect_knows(tmp_path: Path, sealed: Sealed) -> None:
    workspace, documents, said = tmp_path / "workspace", tmp_path / "runs", tmp_path / "said"
    assert sealed("init", str(workspace)).code == 0
    assert sealed("sandbox", "documents", "--runs", "1", "--per-run", "8", str(documents)).code == 0
    with (
        said.open("w") as file,
        subprocess.Popen(
            [*AS_AT_A_TERMINAL, str(SEALED), "update", "-w", str(workspace), str(documents / "run-1")],
            stdout=file,
            stderr=file,
            start_new_session=True,
        ) as command,
    ):
        wait_for(lambda: "training the adapter: begins" in said.read_text("utf-8"), "the training")
        os.killpg(command.pid, signal.SIGINT)
        code = command.wait(120)
    told = said.read_text("utf-8")
    assert code == 130, told
    assert "Traceback" not in told
    assert "sealed: stopped. Finished steps are kept: run the same command again to go on.\n" in told
    status = sealed("status", "--json", workspace=workspace).json
    assert status["next_step"] == "`sealed update` goes on with the interrupted run"
    with sqlite3.connect(workspace / "prefect" / "prefect.db") as recorded:
        assert recorded.execute("SELECT state_type FROM flow_run").fetchall() == [("CRASHED",)]
