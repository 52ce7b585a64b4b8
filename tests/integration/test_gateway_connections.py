"""What the gateway's listening socket bears: upgrades, heads that drip, readers that do not read, too many clients.

Bytes are sent over real sockets to the real server.
"""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from benchmarks import releases
from flows.services.initialisation import init_workspace
from flows.services.serving import make_gateway, make_key
from flows.wiring import Workspace
from pipeline.sandbox import model_path
from registry.gateway import connections
from tests.gateways import Running, running

UPGRADE = (
    "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("connections") / "workspace"
    workspace = init_workspace(folder, str(model_path()), actor="ada", device="cpu")
    releases.make_release(workspace, 1)
    make_key(workspace, "shop")
    yield workspace
    workspace.ledger.close()


@pytest.fixture
def served(made: Workspace) -> Iterator[Running]:
    with running(make_gateway(made, keep=0)) as found:
        yield found


def connect(served: Running) -> socket.socket:
    host, port = served.address.split(":")
    return served.opened.enter_context(socket.create_connection((host, int(port)), timeout=20))


def is_closed(connection: socket.socket) -> bool:
    """Whether the server closed the connection, or does within 20 seconds, without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def is_cut_off(connection: socket.socket, sent: bytes, seconds: float) -> bool:
    """Whether the server ends the connection while the same is sent again and again, but for short pauses."""
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < seconds:
            connection.sendall(sent)
            time.sleep(0.02)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 401), ("/v1/chat/completions", 405), ("/anything", 404)])
def test_an_upgrade_is_a_request_like_any_other_to_the_guard(served: Running, path: str, status: int) -> None:
    connection = connect(served)
    connection.sendall(UPGRADE.format(path=path).encode())
    head, _, body = connection.recv(65_536).decode().partition("\r\n\r\n")
    assert head.split()[1] == str(status)
    assert set(json.loads(body)) == {"error"}
    assert f'status="{status}"' in served.call("GET", "/metrics")[1], "it is counted"


def test_a_head_that_drips_is_cut_off_in_time(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    slow, begun = connect(served), time.monotonic()
    slow.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-slow: ")
    assert is_cut_off(slow, b"a", seconds=10)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /health HTTP/1.1\r\nhost: x\r\n"])
def test_a_client_that_sends_no_whole_head_is_cut_off(
    served: Running, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    connection = connect(served)
    connection.sendall(sent)
    assert is_closed(connection)


def test_the_next_request_of_a_connection_must_come_in_time_as_well(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    connection = connect(served)
    for _ in range(2):
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 ")
        time.sleep(0.4)  # without a request it may stay open for longer
    connection.sendall(b"GET /health HT")
    assert is_closed(connection)


def test_a_head_without_an_end_is_cut_off_by_its_length(served: Running) -> None:
    connection = connect(served)
    connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nx-long: ")
    assert is_cut_off(connection, b"a" * 4_096, seconds=10)


def test_a_client_that_does_not_read_is_cut_off(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.5)
    greedy = connect(served)
    asked = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
    greedy.sendall(asked * 5_000)  # the answers fill all buffers on the way
    assert is_cut_off(greedy, asked, seconds=60)
    assert served.call("GET", "/ready")[0] == 200


def test_too_many_connections_are_closed_at_once(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    held = [connect(served) for _ in range(3)]
    assert is_closed(connect(served))
    held.pop().close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        again = connect(served)
        again.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            if again.recv(12):
                return
        except ConnectionError:
            time.sleep(0.05)
    raise AssertionError("a place that became free was not given to anybody")
