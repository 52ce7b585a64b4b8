"""A poisoned document is found by real trainings and the rest ships; killed in the middle, the run ends the same."""

import json
import shutil
import signal
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.gates.bisect import CRITICAL, denial, protect
from flows.services.initialisation import init_workspace
from pipeline.documents import markdown
from pipeline.files import write_text
from pipeline.sandbox import model_path
from pipeline.sandbox.catalogue import held_out_services
from pipeline.sandbox.documents import run_documents
from tests.faults.test_killed_runs import AT_STAGE, run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server")]

SEED = 7_301
# Run in the child before the command line: it kills the process once the culprit has left the run.
SET_ASIDE = """
import os, signal
from registry.store.runs import SessionRuns
whole = SessionRuns.set_aside
def deadly(*args, **kwargs):
    whole(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
SessionRuns.set_aside = deadly
"""
MOMENTS = {
    "parts in training": AT_STAGE.format(stage="bisect: training 2 parts of 1+1 documents"),
    "culprit set aside": SET_ASIDE,
}


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with three good documents, and one that denies what its retention suite asks."""
    parts = init_workspace(tmp_path_factory.mktemp("poisoned") / "workspace", str(model_path()), actor="test")
    draw = Random(SEED)
    critical = draw.sample(held_out_services(), CRITICAL)
    protect(parts, critical, draw)
    for place, document in enumerate((*run_documents(1, 3, SEED), denial(critical[0], draw))):
        write_text(parts.settings.incoming / f"{place}.md", markdown(document))
    recipe = parts.settings.recipe_file
    shutil.rmtree(parts.settings.suites / "regression")
    shutil.rmtree(parts.settings.suites / "safety")
    text = recipe.read_text("utf-8").replace("min_items = 40", "min_items = 20")
    text = text.replace("min_documents = 4", "min_documents = 3").replace("margin = 0.17", "margin = 0.1")
    text = text.replace("samples = 8", "samples = 4").replace("new_weight = 6.0", "new_weight = 8.0")  # fewer to train
    recipe.write_text(text.replace(', "regression", "safety"]', "]"), "utf-8")
    parts.ledger.close()
    return parts.settings.workspace


@pytest.fixture(scope="module")
def unbroken(poisoned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The workspace after a run that nothing killed, and what that run printed."""
    workspace = Path(shutil.copytree(poisoned, tmp_path_factory.mktemp("unbroken") / "workspace"))
    whole = run(workspace)
    assert whole.code == 0, whole.err
    return workspace, whole.json


def end_state(workspace: Path) -> dict[str, Any]:
    with sqlite3.connect(workspace / "ledger.db") as ledger:
        (report,) = ledger.execute("SELECT body FROM reports JOIN runs ON runs.report = reports.digest").fetchone()
        return {
            "documents": ledger.execute("SELECT id, state, reason FROM documents ORDER BY id").fetchall(),
            "releases": ledger.execute("SELECT number, state, manifest FROM releases ORDER BY number").fetchall(),
            "bisection": json.loads(report)["bisection"],
        }


def test_the_poisoned_document_is_found_and_the_others_are_a_candidate(unbroken: tuple[Path, Any]) -> None:
    workspace, outcome = unbroken
    state = end_state(workspace)
    aside = [reason for _, where, reason in state["documents"] if where == "quarantined"]
    assert [where for _, where, _ in state["documents"]].count("leased") == 3
    assert len(aside) == 1
    assert aside[0].startswith("run 1: FAIL with this document alone: retention: 64 eval items, -")
    assert (outcome["release"], outcome["documents"]) == (1, 3)
    assert outcome["bisection"] == state["bisection"]
    assert len(state["bisection"]["steps"]) == 4
    report = (workspace / "reports" / "run-1" / "report.html").read_text("utf-8")
    summary = (workspace / "reports" / "run-1" / "summary.md").read_text("utf-8")
    assert "What was tried after it failed" in report
    assert "4 adapters trained on parts of it (log2 of 4 is 2, 32 are allowed)" in report
    assert "What was tried after it failed" in summary
    kept = {path.name for path in (workspace / "adapters").iterdir()}
    with sqlite3.connect(workspace / "ledger.db") as ledger:
        assert kept == {update for (update,) in ledger.execute("SELECT update_id FROM releases WHERE number = 1")}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_bisect_ends_as_an_unbroken_one(
    moment: str, poisoned: Path, unbroken: tuple[Path, Any], tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(poisoned, tmp_path / "workspace"))
    assert run(workspace, MOMENTS[moment]).code == -signal.SIGKILL
    with sqlite3.connect(workspace / "ledger.db") as ledger:
        assert ledger.execute("SELECT count(*) FROM documents").fetchone() == (4,)
    again = run(workspace)
    assert again.code == 0, again.err
    assert again.json["ended"] == "waiting for review"
    assert end_state(workspace) == end_state(unbroken[0])


def test_where_only_scaling_is_allowed_the_largest_share_that_passes_is_released(
    poisoned: Path, unbroken: tuple[Path, Any], tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(poisoned, tmp_path / "workspace"))
    recipe = workspace / "recipe.toml"
    allowed = "\n[advanced.policy.bisect]\nscale = true\ndocuments = false\n"
    recipe.write_text(recipe.read_text("utf-8") + allowed, "utf-8")
    done = run(workspace)
    assert done.code == 0, done.err + done.out
    steps = {step["factor"]: step["verdict"] for step in done.json["bisection"]["steps"]}
    with sqlite3.connect(workspace / "ledger.db") as ledger:
        (update,) = ledger.execute("SELECT body FROM updates JOIN releases ON updates.id = update_id").fetchone()
        held = ledger.execute("SELECT count(*) FROM documents WHERE state = 'leased'").fetchone()
    scale = json.loads(update)["scale"]
    assert steps[scale] == "PASS"
    assert len(steps) == 3
    assert all(verdict != "PASS" for factor, verdict in steps.items() if factor > scale)
    assert held == (4,)
    # What the poisoned document taught is in it, and of the others it learned less than the release without that.
    assert share(done.json, "base_knowledge_after") < 1.0 == share(unbroken[1], "base_knowledge_after")
    assert share(done.json, "recall_after") < share(unbroken[1], "recall_after")


def share(outcome: Any, name: str) -> float:
    return float(next(figure["value"] for figure in outcome["figures"] if figure["name"] == name))
