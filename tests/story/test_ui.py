"""`sealed ui` as users run it: every page answers, a decision in MLflow takes effect, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows.services.ui.accounts import Accounts, read_accounts
from flows.services.ui.processes import mark_of
from flows.services.ui.supervision import marked
from pipeline.types import Identity
from tests.prefect_servers import wait_for
from tests.review_workspace import ReviewedWorkspace

COMMAND = (sys.executable, "-m", "flows.cli")
PORTS = ("--port", "0", "--mlflow-port", "0", "--prefect-port", "0")
# A schedule of 15 seconds, and what a run takes to start on a busy machine.
ADOPTED_WITHIN = 15.0 + 60.0
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Ui:
    """A running `sealed ui`: its process, where its servers answer, and who may sign in."""

    process: "subprocess.Popen[str]"
    ready: dict[str, Any]
    accounts: Accounts

    @property
    def reviewer(self) -> tuple[str, str]:
        return self.accounts.reviewer, self.accounts.reviewer_password

    def address(self, server: str) -> str:
        return str(self.ready["addresses"][server])

    def runs(self, deployment: str, state: str) -> list[dict[str, Any]]:
        """The runs of a deployment in Prefect, in a state of this type."""
        asked = {
            "deployments": {"name": {"any_": [deployment]}},
            "flow_runs": {"state": {"type": {"any_": [state]}}},
        }
        return self.asked("flow_runs/filter", asked)

    def asked(self, path: str, body: object) -> list[dict[str, Any]]:
        auth = (self.accounts.admin, self.accounts.admin_password)
        answer = httpx.post(f"{self.address('prefect')}/api/{path}", json=body, auth=auth, timeout=30)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> ReviewedWorkspace:
    """A workspace with a store of its own, in which a candidate waits for review."""
    folder = tmp_path_factory.mktemp("ui") / "workspace"
    made = ReviewedWorkspace(folder, tiny_model("llama"), f"sqlite:///{folder / 'mlflow.db'}")
    (folder / "recipe.toml").write_text('[policy]\nrequired = ["integrity"]\n', encoding="utf-8")  # it has no suites
    made.candidate("atlas")
    return made


@contextmanager
def started(folder: Path) -> Iterator[Ui]:
    """`sealed ui` until the block ends; whatever happens, nothing of it is left after the tests."""
    command = [*COMMAND, "ui", "-w", str(folder), "--json", *PORTS]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield Ui(process, _ready(process), read_accounts(folder / "ui"))
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_SECONDS)


def _ready(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            found: dict[str, Any] = json.loads("".join(lines))
            return found
    raise AssertionError(process.communicate()[1])


def sealed(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    command = [*COMMAND, *words, "-w", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS, env=env)


@pytest.mark.slow
def test_a_decision_in_mlflow_takes_effect_and_nothing_is_left_behind(reviewed: ReviewedWorkspace) -> None:
    folder = reviewed.folder
    with started(folder) as ui:
        assert not any(secret in json.dumps(ui.ready) for secret in ui.accounts.secrets)
        _every_page_answers(ui)
        again = sealed(folder, "ui", *PORTS)
        assert (again.returncode, ui.address("mlflow") in again.stderr) == (0, True), again.stderr
        seconds = _approved(ui, reviewed)
        print(f"the gateway answered from the new release {seconds:.1f} s after the approval")
        _update_beside(ui, folder)
        ui.process.terminate()
        assert ui.process.wait(timeout=PATIENCE_SECONDS) == 0
        assert marked(mark_of(folder)) == ()
        for server in ("mlflow", "prefect", "gateway"):
            with pytest.raises(httpx.ConnectError):
                httpx.get(ui.address(server), timeout=5)


def _every_page_answers(ui: Ui) -> None:
    health = httpx.get(f"{ui.address('prefect')}/api/health", timeout=30)
    assert health.json() is True
    assert httpx.post(f"{ui.address('prefect')}/api/flow_runs/filter", json={}, timeout=30).status_code == 401
    assert httpx.get(f"{ui.address('prefect')}/", timeout=30, follow_redirects=True).status_code == 200
    version = f"{ui.address('mlflow')}/api/2.0/mlflow/model-versions/get?name=sealed&version=1"
    assert httpx.get(version, timeout=60).status_code == 401
    shown = httpx.get(version, auth=ui.reviewer, timeout=60).json()["model_version"]
    assert {"key": "release.state", "value": "candidate"} in shown["tags"]
    assert httpx.get(ui.address("mlflow"), auth=ui.reviewer, timeout=60).status_code == 200
    assert httpx.get(f"{ui.address('gateway')}/ready", timeout=60).json()["release"] == 0


def _approved(ui: Ui, reviewed: ReviewedWorkspace) -> float:
    """Approves version 1 as its page does; seconds until the gateway answers from it, by a run of the schedule."""
    tag = {"name": "sealed", "version": "1", "key": f"review.{ui.accounts.reviewer}", "value": "approved"}
    path = f"{ui.address('mlflow')}/api/2.0/mlflow/model-versions/set-tag"
    assert httpx.post(path, json=tag, auth=ui.reviewer, timeout=60).status_code == 200
    began = time.monotonic()
    while httpx.get(f"{ui.address('gateway')}/ready", timeout=60).json()["release"] != 1:
        assert time.monotonic() - began < ADOPTED_WITHIN, "nobody adopted the approval"
        time.sleep(0.2)
    seconds = time.monotonic() - began
    (approval,) = reviewed.ledger.releases.approvals(1)
    assert (approval.actor, approval.identity) == (ui.accounts.reviewer, Identity.SIGNED_IN)
    runs = wait_for(lambda: ui.runs("reconcile", "COMPLETED"), "a run of the schedule to end")
    assert all(run["auto_scheduled"] for run in runs)
    assert ui.runs("nightly", "SCHEDULED")
    return seconds


def _update_beside(ui: Ui, folder: Path) -> None:
    """A run of the command line is recorded by the same Prefect server, and writes to the same MLflow store."""
    ran = sealed(folder, "update", "--json")
    assert ran.returncode == 0, ran.stderr
    names = [run["name"] for run in ui.asked("flow_runs/filter", {"flows": {"name": {"any_": ["nightly"]}}})]
    assert any(name.startswith("nightly-") for name in names)
    version = f"{ui.address('mlflow')}/api/2.0/mlflow/model-versions/get?name=sealed&version=1"
    shown = httpx.get(version, auth=ui.reviewer, timeout=60).json()["model_version"]
    assert {"key": "release.state", "value": "production"} in shown["tags"]


@pytest.mark.slow
def test_a_server_that_dies_ends_all_and_is_named(reviewed: ReviewedWorkspace) -> None:
    with started(reviewed.folder) as ui:
        (gateway,) = (one for one in marked(mark_of(reviewed.folder, "gateway")) if "serve" in one.cmdline())
        gateway.send_signal(signal.SIGKILL)
        _, said = ui.process.communicate(timeout=PATIENCE_SECONDS)
    assert ui.process.returncode == 4
    assert "gateway was ended by SIGKILL" in said
    assert str(reviewed.folder / "ui" / "gateway.log") in said
    assert marked(mark_of(reviewed.folder)) == ()


@pytest.mark.slow
def test_what_a_killed_one_left_is_ended_by_the_next_start(reviewed: ReviewedWorkspace) -> None:
    with started(reviewed.folder) as ui:
        left = marked(mark_of(reviewed.folder))
        ui.process.kill()
        ui.process.wait(timeout=PATIENCE_SECONDS)
        assert all(one.is_running() for one in left if one.status() != psutil.STATUS_ZOMBIE)
    with started(reviewed.folder) as ui:
        assert not {one.pid for one in left} & {one.pid for one in marked(mark_of(reviewed.folder))}
        assert ui.ready["made"] is False
        assert ui.ready["known"] is True
