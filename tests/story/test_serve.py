"""`sealed serve` as its users run it: it says where it listens, follows decisions, and ends in order."""

import json
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from benchmarks import releases
from benchmarks.served import Client, ServedGateway, served
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.sandbox import model_path
from tests.story.running import Sealed


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("serve") / "workspace"
    workspace = init_workspace(folder, str(model_path()), actor="ada", device="cpu")
    releases.make_release(workspace, 1)
    return workspace


def wait_for(gateway: ServedGateway, release: int) -> None:
    deadline = time.monotonic() + 60
    while gateway.ready()["release"] != release:
        assert time.monotonic() < deadline, gateway.ready()
        time.sleep(0.05)


def test_it_follows_approvals_and_rollbacks_and_finishes_what_it_began(workspace: Workspace, sealed: Sealed) -> None:
    with served(workspace.settings.workspace, "--keep", "1") as gateway:
        assert gateway.ready()["release"] == 1
        releases.make_release(workspace, 2)
        gateway.look()
        wait_for(gateway, 2)
        rolled = sealed("rollback", "--as", "grace", "--reason", "worse", workspace=workspace.settings.workspace)
        assert rolled.code == 0, rolled.err
        wait_for(gateway, 1)  # without a signal: it polls
        stream = urllib.request.urlopen(
            urllib.request.Request(
                f"http://{gateway.address}/v1/completions",
                data=json.dumps({"prompt": "one two three four", "max_tokens": 400, "stream": True}).encode(),
                headers={"content-type": "application/json"},
            ),
            timeout=60,
        )
        stream.readline()
        gateway.process.send_signal(signal.SIGTERM)
        assert stream.read().endswith(b"data: [DONE]\n\n")
        stream.close()
        assert gateway.process.wait(timeout=60) == 0


def test_other_machines_need_a_key(workspace: Workspace, sealed: Sealed) -> None:
    folder = workspace.settings.workspace
    refused = sealed("serve", "--host", "0.0.0.0", "--port", "0", workspace=folder)
    assert refused.code == 3
    assert "sealed api-keys add" in refused.err
    added = sealed("api-keys", "add", "shop", workspace=folder)
    assert added.out.startswith("sk-sealed-")
    assert added.out.strip() not in sealed("api-keys", "--json", workspace=folder).out
    with served(folder, "--host", "0.0.0.0") as gateway:
        client = Client(gateway.address)
        assert client.complete({"prompt": "The", "max_tokens": 1}).status == 401
        client.close()
    assert sealed("api-keys", "remove", "shop", workspace=folder).code == 0
    assert sealed("api-keys", "remove", "shop", workspace=folder).code == 2


def test_a_port_that_is_taken_is_said_in_a_sentence(workspace: Workspace, sealed: Sealed) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = sealed("serve", "--port", port, workspace=workspace.settings.workspace)
    assert refused.code == 4
    assert "Take another --port" in refused.err


def test_help_is_quick_and_loads_no_library_of_servers() -> None:
    code = "import sys; from flows.cli.app import app; app(['serve', '--help'], standalone_mode=False); "
    code += "print([name for name in ('torch', 'fastapi', 'uvicorn', 'prometheus_client') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
