"""A night is killed with SIGKILL at the worst moments; the same command again ends as an unbroken night does."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.steps.founding import found
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_nights

pytestmark = pytest.mark.slow

# Each is run in the child before the command line: it kills the process itself, in the middle of the named work.
AT_STAGE = """
import os, signal, flows.progress as progress
whole = progress.stage
def stage(name):
    report = whole(name)
    def deadly(done, total):
        if name == {stage!r} and done * 2 >= total:
            os.kill(os.getpid(), signal.SIGKILL)
        report(done, total)
    return deadly
progress.stage = stage
"""
BEFORE_RECORDING = """
import os, signal
from registry.store import nights
nights.record_release = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
"""
MOMENTS = {
    "self-edits": AT_STAGE.format(stage="writing self-edits"),
    "rehearsal": AT_STAGE.format(stage="rehearsing with the teacher"),
    "training": AT_STAGE.format(stage="training the adapter"),
    "gates": AT_STAGE.format(stage="gates: asking the candidate"),
    "registered, not recorded": BEFORE_RECORDING,
}
RUN = "import sys; sys.argv = ['sealed', 'update', '--json']; from flows.cli import main; main()"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one night of documents in its incoming folder and a small recipe."""
    root = tmp_path_factory.mktemp("pristine")
    house = found(root / "workspace", str(model_path()), actor="test")
    write_nights(root / "nights", nights=1, per_night=8, seed=977, variant=None)
    for document in (root / "nights" / "night-1").iterdir():
        shutil.copy(document, house.settings.incoming)
    house.store.close()
    return root / "workspace"


def update(workspace: Path, preparation: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", preparation + RUN],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "SEALED_WORKSPACE": str(workspace)},
    )


def copied(pristine: Path, to: Path) -> Path:
    """The same workspace elsewhere: its file names its folder, so the names are written anew."""
    shutil.copytree(pristine, to)
    text = (to / "sealed.toml").read_text(encoding="utf-8")
    (to / "sealed.toml").write_text(text.replace(str(pristine), str(to)), encoding="utf-8")
    return to


def end_state(workspace: Path) -> dict[str, Any]:
    with sqlite3.connect(workspace / "ledger.db") as ledger, sqlite3.connect(workspace / "mlflow.db") as tracking:
        return {
            "documents": ledger.execute("SELECT id, state FROM documents ORDER BY id").fetchall(),
            "releases": ledger.execute("SELECT number, state, manifest FROM releases ORDER BY number").fetchall(),
            "versions": tracking.execute("SELECT count(*) FROM model_versions").fetchone()[0],
            "aliases": tracking.execute("SELECT alias, version FROM registered_model_aliases").fetchall(),
        }


@pytest.fixture(scope="module")
def unbroken(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    workspace = copied(pristine, tmp_path_factory.mktemp("unbroken") / "workspace")
    run = update(workspace)
    assert run.returncode == 0, run.stderr
    state = end_state(workspace)
    assert state["versions"] == 1
    return state


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_night_ends_as_an_unbroken_one(
    moment: str, pristine: Path, unbroken: dict[str, Any], tmp_path: Path
) -> None:
    workspace = copied(pristine, tmp_path / "workspace")
    assert update(workspace, MOMENTS[moment]).returncode == -signal.SIGKILL
    again = update(workspace)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["ended"] == "waiting for review"
    assert end_state(workspace) == unbroken
