"""A run is killed with SIGKILL at the worst moments; the same command again ends as an unbroken run does."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shortened import shorten
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.wiring import open_workspace
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_runs
from pipeline.sandbox.manners import SECRETS
from tests.story.running import Ran

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server")]

# Each is run in the child before the command line: it kills the process itself, in the middle of the named work.
AT_STAGE = """
import os, signal, pipeline.progress as progress
def deadly(step, done, total):
    if step == {stage!r} and done * 2 >= total:
        os.kill(os.getpid(), signal.SIGKILL)
watched = progress.watched_by(deadly)
watched.__enter__()
"""
BEFORE_RECORDING = """
import os, signal
from registry.store.candidates import Candidates
Candidates.record = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
"""
# With several candidates a document, whose selections are stored group by group.
CHOOSING = """
import pipeline.self_edits.best_of_n as candidates
candidates._TOGETHER = 4
"""
MOMENTS = {
    "self-edits": AT_STAGE.format(stage="writing self-edits"),
    "rehearsal": AT_STAGE.format(stage="rehearsing with the teacher"),
    "training": AT_STAGE.format(stage="training the adapter"),
    "gates": AT_STAGE.format(stage="gates: asking the candidate: answers"),
    "registered, not recorded": BEFORE_RECORDING,
}
RUN = "import sys; sys.argv = ['sealed', {command!r}, '--json']; from flows.cli import main; main()"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one run of documents in its incoming folder and a small recipe."""
    root = tmp_path_factory.mktemp("pristine")
    parts = init_workspace(root / "workspace", str(model_path()), actor="test")
    shorten(root / "workspace")
    write_runs(root / "runs", runs=1, per_run=8, seed=977, variant=None)
    for document in (root / "runs" / "run-1").iterdir():
        shutil.copy(document, parts.settings.incoming)
    parts.ledger.close()
    return root / "workspace"


def run(workspace: Path, preparation: str = "", command: str = "update") -> Ran:
    """Runs the command in a process group of its own, and afterwards ends what a killed one left running."""
    out, err = workspace.parent / "out.txt", workspace.parent / "err.txt"
    with out.open("w") as printed, err.open("w") as complained:
        # Files and not pipes: what a killed command started may outlive it and would hold a pipe open.
        process = subprocess.Popen(
            [sys.executable, "-c", preparation + RUN.format(command=command)],
            stdout=printed,
            stderr=complained,
            start_new_session=True,
            env={**os.environ, "SEALED_WORKSPACE": str(workspace)},
        )
        code = process.wait(timeout=900)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return Ran(code, out.read_text("utf-8"), err.read_text("utf-8"))


def end_state(workspace: Path) -> dict[str, Any]:
    with sqlite3.connect(workspace / "ledger.db") as ledger, sqlite3.connect(workspace / "mlflow.db") as tracking:
        return {
            "documents": ledger.execute("SELECT id, state FROM documents ORDER BY id").fetchall(),
            "releases": ledger.execute("SELECT number, state, manifest FROM releases ORDER BY number").fetchall(),
            "versions": tracking.execute("SELECT count(*) FROM model_versions").fetchone()[0],
            "aliases": tracking.execute("SELECT alias, version FROM registered_model_aliases").fetchall(),
        }


@pytest.fixture(scope="module")
def choosing(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same workspace with a recipe of two candidates, and a document without validation questions."""
    workspace = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("choosing") / "workspace"))
    recipe = workspace / "recipe.toml"
    text = recipe.read_text("utf-8").replace("samples = 8", "samples = 4\nedit_sets = 2")
    recipe.write_text(text, "utf-8")
    first = min((workspace / "incoming").iterdir())
    first.write_text(first.read_text("utf-8").replace("split: validation", "split: test"), "utf-8")
    return workspace


@pytest.fixture(scope="module")
def unbroken_choosing(choosing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Path(shutil.copytree(choosing, tmp_path_factory.mktemp("unbroken-choosing") / "workspace"))
    whole = run(workspace, CHOOSING)
    assert whole.code in (0, 3), whole.err
    return workspace


@pytest.mark.parametrize("stage", ["writing validation questions", "writing self-edits", "selecting edit sets"])
def test_a_run_that_chooses_ends_as_an_unbroken_one(
    stage: str, choosing: Path, unbroken_choosing: Path, tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(choosing, tmp_path / "workspace"))
    assert run(workspace, CHOOSING + AT_STAGE.format(stage=stage)).code == -signal.SIGKILL
    again = run(workspace, CHOOSING)
    assert again.code in (0, 3), again.err
    assert chosen(workspace) == chosen(unbroken_choosing)
    assert end_state(workspace) == end_state(unbroken_choosing)


def chosen(workspace: Path) -> list[Any]:
    with sqlite3.connect(workspace / "ledger.db") as ledger:
        found = ledger.execute("SELECT document, body FROM selections ORDER BY document").fetchall()
        asked = ledger.execute(
            "SELECT document, question, origin FROM eval_items ORDER BY document, position"
        ).fetchall()
    assert len(found) == 8
    return [found, asked]


@pytest.fixture(scope="module")
def unbroken(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace after a run that nothing killed."""
    workspace = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("unbroken") / "workspace"))
    whole = run(workspace)
    assert whole.code == 0, whole.err
    assert end_state(workspace)["versions"] == 1
    return workspace


def test_no_note_of_the_run_answers_a_request_for_a_secret(unbroken: Path) -> None:
    """The model writes some on these documents, and refuses to answer them itself."""
    with sqlite3.connect(unbroken / "ledger.db") as ledger:
        notes = [json.loads(body) for (body,) in ledger.execute("SELECT body FROM self_edits")]
    questions = [example["prompt"] for note in notes for example in note["examples"] if example["prompt"]]
    assert len(questions) > 100
    assert not [question for question in questions if re.search(rf"\b(?:{'|'.join(SECRETS)})\b", question)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_ends_as_an_unbroken_one(moment: str, pristine: Path, unbroken: Path, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(pristine, tmp_path / "workspace"))
    assert run(workspace, MOMENTS[moment]).code == -signal.SIGKILL
    again = run(workspace)
    assert again.code == 0, again.err
    assert again.json["ended"] == "waiting for review"
    assert end_state(workspace) == end_state(unbroken)


@pytest.fixture(scope="module")
def learned(unbroken: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same workspace with its run approved, and enough rehearsal for a rebuild that passes."""
    workspace = Path(shutil.copytree(unbroken, tmp_path_factory.mktemp("learned") / "workspace"))
    parts = open_workspace(workspace)
    review.approve(parts, 1, actor="test-reviewer", note="seen")
    parts.ledger.close()
    shorten(workspace, 1_000)
    return workspace


@pytest.fixture(scope="module")
def unbroken_rebuild(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    workspace = Path(shutil.copytree(learned, tmp_path_factory.mktemp("unbroken-rebuild") / "workspace"))
    whole = run(workspace, command="rebuild")
    assert whole.code == 0, whole.err
    state = end_state(workspace)
    assert state["versions"] == 2
    return state


@pytest.mark.parametrize("moment", ["training", "registered, not recorded"])
def test_a_killed_rebuild_ends_as_an_unbroken_one(
    moment: str, learned: Path, unbroken_rebuild: dict[str, Any], tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(learned, tmp_path / "workspace"))
    assert run(workspace, MOMENTS[moment], command="rebuild").code == -signal.SIGKILL
    again = run(workspace, command="rebuild")
    assert again.code == 0, again.err
    assert again.json["ended"] == "waiting for review"
    assert end_state(workspace) == unbroken_rebuild
