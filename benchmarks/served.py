"""A gateway in a process of its own, and clients that ask it over connections of theirs, as others' clients do."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_START_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back: the status, the release's number by the header, the model's name, the text, and the seconds."""

    status: int
    release: str
    model: str
    text: str
    seconds: float


@dataclass(frozen=True)
class ServedGateway:
    """A running gateway: where it listens, and its process."""

    address: str
    process: "subprocess.Popen[str]"

    def look(self) -> None:
        """Makes it look at the ledger at once."""
        self.process.send_signal(signal.SIGHUP)

    def ready(self) -> dict[str, Any]:
        """What /ready says."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request("GET", "/ready")
        said: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return said


@contextmanager
def served(workspace: Path, *options: str) -> Iterator[ServedGateway]:
    """`sealed serve` on a free port until the block ends. It must then end cleanly, by itself."""
    code = "from flows.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "-w", str(workspace), "--port", "0", *options]
    log = workspace / "serve.log"
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.startswith("Serving at"):
                raise RuntimeError(f"the gateway did not start: {said}{_end_of(log)}")
            gateway = ServedGateway(urlsplit(said.split()[2]).netloc, process)
            _wait_ready(gateway)
            yield gateway
        finally:
            process.send_signal(signal.SIGTERM)
            code_of_end = process.wait(timeout=120)
    if code_of_end:
        raise RuntimeError(f"the gateway ended with {code_of_end}: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-2000:]


def _wait_ready(gateway: ServedGateway) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not gateway.ready()["ready"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the gateway is not ready after {_START_SECONDS:g} s: {gateway.ready()['problems']}")
        time.sleep(0.05)


class Client:
    """One connection, kept open. `key`: an API key, if the gateway asks for one."""

    def __init__(self, address: str, key: str = "") -> None:
        self._connection = http.client.HTTPConnection(address, timeout=120)
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})

    def complete(self, body: dict[str, Any]) -> Reply:
        """POST /v1/completions; a streamed answer is put together."""
        begun = time.perf_counter()
        response, data = self._post("/v1/completions", body)
        seconds = time.perf_counter() - begun
        parts = _events(data) if body.get("stream") and response.status == 200 else [json.loads(data)]
        text = "".join(str(part["choices"][0]["text"]) for part in parts if part.get("choices"))
        models = {part.get("model", "") for part in parts}
        return Reply(
            status=response.status,
            release=response.getheader("x-sealed-release", ""),
            model=models.pop() if len(models) == 1 else "several",
            text=text,
            seconds=seconds,
        )

    def grade(self, body: dict[str, Any]) -> int:
        """POST /feedback; the status."""
        return self._post("/feedback", body)[0].status

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, body: dict[str, Any]) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request("POST", path, body=json.dumps(body).encode(), headers=self._headers)
        response = self._connection.getresponse()
        return response, response.read()


def _events(data: bytes) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in data.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]
