"""An HTTP proxy that fails in front of a server: before the server hears of a request, or after it did what was asked.

It runs in a process of its own. Which requests fail, and how, is set over HTTP, and so is said how many there were.
"""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTROL = "/-/"
DRIP_SECONDS = 0.5
HANG_SECONDS = 30.0
_OWN_TO_A_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")


class How(StrEnum):
    """How a request fails. LOST, HANGS_AFTER, TRUNCATED: the server did what was asked, and the client hears less."""

    NOT = "not"
    REFUSED = "refused"
    BEFORE = "500 before"
    LOST = "500 after"
    HANGS = "hangs before"
    HANGS_AFTER = "hangs after"
    DRIPS = "drips"
    TRUNCATED = "truncated"
    TWICE = "twice"


@dataclass
class Plan:
    """Requests from `first` on fail, `last` among them; how many there were since the plan was set."""

    how: How = How.NOT
    first: int = 1
    last: int = 1
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> How:
        with self.lock:
            self.count += 1
            return self.how if self.first <= self.count <= self.last else How.NOT


@dataclass(frozen=True)
class Proxy:
    """A running proxy, as the process that started it sees it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, how: How, first: int = 1, last: int = 1) -> int:
        """Makes requests fail from the next one on, counted from 1; how many there were under the last plan."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", CONTROL, json.dumps([how, first, last]))
        return int(connection.getresponse().read())


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Starts a proxy to a server of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"port": port, "plan": Plan()}))
    server.daemon_threads = True
    child = os.fork()
    if child == 0:
        with suppress(BaseException):  # this copy of the process must not go on in the caller's code
            server.serve_forever()
        os._exit(0)
    server.socket.close()
    try:
        yield Proxy(server.server_address[1])
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    port: int
    plan: Plan

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == CONTROL:
            self._set(json.loads(body))
            return
        how = self.plan.next()
        if how is How.REFUSED:
            self._cut()
        elif how is How.BEFORE:
            self._answer(500, {}, b"the proxy failed before")
        elif how is How.HANGS:
            self._hang()
        else:
            self._forward(how, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass

    def _set(self, asked: list[Any]) -> None:
        count, self.plan.count = self.plan.count, 0
        self.plan.how, self.plan.first, self.plan.last = How(asked[0]), asked[1], asked[2]
        self._answer(200, {}, str(count).encode())

    def _forward(self, how: How, body: bytes) -> None:
        status, headers, answer = self._ask(body)
        if how is How.TWICE:
            status, headers, answer = self._ask(body)
        if how is How.LOST:
            self._answer(500, {}, b"the proxy failed after")
        elif how is How.HANGS_AFTER:
            self._hang()
        elif how is How.TRUNCATED:
            self._answer(status, headers, answer, shown=answer[: len(answer) // 2])
            self._cut()
        elif how is How.DRIPS:
            self._answer(status, headers, answer, shown=b"")
            self._drip(answer)
        else:
            self._answer(status, headers, answer)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_TO_A_CONNECTION}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(self.command, self.path, body, sent)
            found = connection.getresponse()
            return found.status, dict(found.getheaders()), found.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, shown: bytes | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OWN_TO_A_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if shown is None else shown)

    def _drip(self, answer: bytes) -> None:
        """In pieces, with pauses of which each is shorter than a client waits, over a longer time than that."""
        size = max(1, len(answer) // 8)
        for at in range(0, len(answer), size):
            self.wfile.write(answer[at : at + size])
            self.wfile.flush()
            time.sleep(DRIP_SECONDS)

    def _hang(self) -> None:
        time.sleep(HANG_SECONDS)
        self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
