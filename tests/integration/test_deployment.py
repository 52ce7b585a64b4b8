"""`prefect.yaml` on a real Prefect server: the deployed cron really creates runs."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.prefect_servers import PREFECT, prefect_server, wait_for

ROOT = Path(__file__).parents[2]


def ask(url: str, body: object) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that points at a Prefect server of our own."""
    home = tmp_path_factory.mktemp("prefect")
    with prefect_server(home) as env:
        yield {**os.environ, **env, "SEALED_WORKSPACE": str(home / "workspace")}


def prefect(env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PREFECT, *words], env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def pool(server: dict[str, str]) -> dict[str, str]:
    """The environment of a server that has our work pool and no deployment yet."""
    made = prefect(server, "work-pool", "create", "sealed", "--type", "process", "--overwrite")
    assert made.returncode == 0, made.stdout + made.stderr
    return server


@pytest.mark.parametrize(("workspace", "which"), [(None, ("--all",)), ("", ("-n", "nightly")), ("here", ("--all",))])
def test_without_a_workspace_nothing_is_deployed(
    pool: dict[str, str], workspace: str | None, which: tuple[str, ...]
) -> None:
    env = {name: value for name, value in pool.items() if name != "SEALED_WORKSPACE"}
    if workspace is not None:
        env["SEALED_WORKSPACE"] = workspace
    refused = prefect(env, "deploy", *which, "--no-prompt")
    assert refused.returncode != 0
    assert "SEALED_WORKSPACE" in refused.stdout + refused.stderr
    assert ask(f"{pool['PREFECT_API_URL']}/deployments/filter", {}) == []


def test_the_deployed_schedule_creates_runs(pool: dict[str, str]) -> None:
    deployed = prefect(pool, "deploy", "--all", "--no-prompt")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    api = pool["PREFECT_API_URL"]
    deployments = {deployment["name"]: deployment for deployment in ask(f"{api}/deployments/filter", {})}
    assert set(deployments) >= {"nightly", "approve", "reject", "rollback", "watch"}
    assert {deployment["concurrency_limit"] for deployment in deployments.values()} == {None}
    assert {deployment["global_concurrency_limit"] for deployment in deployments.values()} == {None}
    nightly = deployments["nightly"]
    assert nightly["parameters"]["workspace"] == pool["SEALED_WORKSPACE"]
    wanted = {
        "deployments": {"id": {"any_": [nightly["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    runs = wait_for(lambda: ask(f"{api}/flow_runs/filter", wanted), "the scheduler to create runs")
    assert all(run["auto_scheduled"] for run in runs)
