"""A workspace whose releases are reviewed in a real MLflow server of ours, with sign-in, and its accounts.

The process of the test is the trainer: what it writes to MLflow passes the guard as a trainer's requests do.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from flows.services.ui.processes import SOURCE_OF_VERSIONS

ROOT = Path(__file__).parents[1]
ADMIN, PASSWORD = "admin", "a-long-password-1"
PEOPLE = ("ada", "grace", "linus", "trainer", "visitor")
ROLES = {"SEALED_REVIEWERS": "ada,grace", "SEALED_ON_CALL": "linus", "SEALED_TRAINERS": "trainer"}
START_SECONDS = 150


@dataclass(frozen=True)
class Answer:
    """What the server said: the status and the sentence, if it is an error."""

    status: int
    body: Any

    @property
    def sentence(self) -> str:
        return str(self.body["message"]) if isinstance(self.body, dict) else str(self.body)


@dataclass(frozen=True)
class ReviewServer:
    """A running server. All accounts have the same password."""

    url: str
    log: Path

    def ask(self, who: str | None, method: str, path: str, body: object) -> Answer:
        """Asks an endpoint of MLflow's API, such as "model-versions/set-tag"; `who` None signs nobody in."""
        place = path if path.startswith("/") else f"/api/2.0/mlflow/{path}"
        auth = None if who is None else (who, PASSWORD)
        answer = httpx.request(method, self.url + place, json=body, auth=auth, timeout=60)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return Answer(answer.status_code, answer.json() if is_json else answer.text)

    def tag(self, who: str | None, version: str, value: str, key: str | None = None) -> Answer:
        """A reviewer's tag, as MLflow's page sets it."""
        body = {"name": "sealed", "version": version, "key": key or f"review.{who}", "value": value}
        return self.ask(who, "POST", "model-versions/set-tag", body)

    def tags(self, version: str) -> dict[str, str]:
        """The tags of a version."""
        answer = httpx.get(
            f"{self.url}/api/2.0/mlflow/model-versions/get",
            params={"name": "sealed", "version": version},
            auth=(ADMIN, PASSWORD),
            timeout=60,
        )
        return {tag["key"]: tag["value"] for tag in answer.json()["model_version"].get("tags", [])}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(folder: Path, port: int) -> list[str]:
    """How the server is started, as docs/review.md says."""
    database, files = f"sqlite:///{folder / 'mlflow.db'}", str(folder / "kept")
    return [
        *(sys.executable, "-m", "mlflow", "server", "--app-name", "sealed", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", database, "--artifacts-destination", files),
    ]


def _plugin(folder: Path) -> Path:
    """A folder where MLflow finds this tree's entry point, whichever tree, if any, is installed."""
    place = folder / "plugin"
    info = place / "sealed_review-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    apps = "\n".join(f"{name} = {target}" for name, target in project["entry-points"]["mlflow.app"].items())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sealed-review\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[mlflow.app]\n{apps}\n", "utf-8")
    return place


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of the server: its secrets, its accounts, its roles. `more` names the ledger."""
    config = folder / "auth.ini"
    config.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder / 'accounts.db'}\n"
        # Passwords are hashed slowly on purpose: a test asks hundreds of times.
        f"admin_username = {ADMIN}\nauth_cache_ttl_seconds = 600\n",
        encoding="utf-8",
    )
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING_")},
        **ROLES,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(_plugin(folder)), os.environ.get("PYTHONPATH", "")]),
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "not a secret in a test",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": SOURCE_OF_VERSIONS,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **more,
    }


@contextmanager
def review_server(folder: Path, port: int, people: tuple[str, ...] = PEOPLE, **more: str) -> Iterator[ReviewServer]:
    """Starts the server with an account for each of `people`; `more` is of its environment."""
    log = folder / "server.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            command(folder, port),
            env=environment(folder, **more),
            cwd=ROOT,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    server = ReviewServer(f"http://127.0.0.1:{port}", log)
    try:
        _await_health(server, child)
        for who in people:
            made = server.ask(ADMIN, "POST", "users/create", {"username": who, "password": PASSWORD})
            assert made.status == 200, made
        yield server
    finally:
        # The whole group: a killed parent leaves its worker serving.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _await_health(server: ReviewServer, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            httpx.get(f"{server.url}/health", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(f"the server did not start: {server.log.read_text('utf-8')[-2000:]}")
