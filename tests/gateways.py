"""A gateway that is served from a thread, and what tests ask of it."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import openai

from benchmarks.served import Client
from benchmarks.swap import PROMPTS
from flows.wiring import Workspace
from pipeline.types import Release
from registry.gateway.gateway import Gateway
from registry.gateway.process import Address, listen, server_of, url_of

MAX_TOKENS = 16


@dataclass(frozen=True)
class Running:
    """A gateway that is being served from a thread."""

    gateway: Gateway
    url: str
    opened: ExitStack

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def client(self, key: str = "none") -> openai.OpenAI:
        return self.opened.enter_context(openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0))

    def connection(self) -> Client:
        return self.opened.enter_context(closing(Client(self.address)))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, body=data, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        found = json.loads(text) if response.headers.get_content_type() == "application/json" else text
        return response.status, found, {name.lower(): value for name, value in response.getheaders()}

    def completed(self, prompt: int = 0) -> Any:
        reply = self.connection().complete({"prompt": PROMPTS[prompt], "max_tokens": MAX_TOKENS})
        assert reply.status == 200
        return reply

    def follow(self) -> None:
        self.gateway.pointer.follow()


@contextmanager
def running(gateway: Gateway) -> Iterator[Running]:
    """Serves the gateway; who follows the ledger, and when, is up to the test."""
    bound, server = listen(Address(port=0)), server_of(gateway)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        gateway.pointer.follow()
        with ExitStack() as opened:
            yield Running(gateway, url_of(bound), opened)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
        gateway.server.close()


def production(workspace: Workspace) -> Release:
    return workspace.ledger.releases.production()


def next_number(workspace: Workspace) -> int:
    return len(workspace.ledger.releases.listed())
