"""JSON calls to one HTTP server: with a deadline, and again where that can help. Knows no model and no prompt.

Connection errors, 429 (its Retry-After is kept) and 5xx are tried again after a pause that doubles, with jitter; any
other refusal is final, since asking again would be refused again.
"""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import EngineFailed

if TYPE_CHECKING:
    import httpx

Item = TypeVar("Item")
Found = TypeVar("Found")

_CONNECT = 10.0  # seconds
_PAUSE = 0.5  # seconds before the second try
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where a server is and how patient we are. `url` is the part before /v1; `seconds` bounds a whole job."""

    url: str
    key: str | None = None
    attempts: int = 6
    seconds: float = 3600.0


@dataclass
class Calls:
    """The calls of one job, from any thread. Once one fails for good, `stop` ends the pauses of the others."""

    server: Server
    client: "httpx.Client"
    deadline: float
    stopped: threading.Event = field(default_factory=threading.Event)

    def json(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The object that GET (no body) or POST gives. Raises EngineFailed, saying what happened and what to do."""
        last = ""
        for attempt in range(self.server.attempts):
            answer = self._once(path, body)
            if isinstance(answer, dict):
                return answer
            last = answer.problem
            pause = _pause(attempt) if answer.wait is None else answer.wait
            if attempt + 1 < self.server.attempts:
                self._rest(pause, last)
        raise EngineFailed(
            f"{self.server.url} did not answer in {self.server.attempts} tries: {last}. "
            "Look at the server's log; what was written before is stored, so start again when it is well."
        )

    def bounded(self, work: Callable[[Item], Found], items: Sequence[Item], most: int) -> Iterator[Found]:
        """Results as they come. At most `most` items are begun at a time; after a failure none is begun or repeated."""
        waiting, begun = deque(items), set[Future[Found]]()
        with ThreadPoolExecutor(max_workers=most, thread_name_prefix="sealed-engine") as pool:
            try:
                while waiting or begun:
                    while waiting and len(begun) < most:
                        begun.add(pool.submit(work, waiting.popleft()))
                    finished, begun = wait(begun, return_when=FIRST_COMPLETED)
                    yield from [each.result() for each in finished]
            finally:
                self.stopped.set()

    def _once(self, path: str, body: dict[str, Any] | None) -> "dict[str, Any] | _Again":
        import httpx

        left = self._left("the server is too slow")
        timeout = httpx.Timeout(left, connect=min(left, _CONNECT))
        try:
            with self.client.stream("POST" if body else "GET", path, json=body, timeout=timeout) as response:
                content = bytearray()
                for piece in response.iter_bytes():
                    content += piece
                    self._left("the server is too slow")
        except httpx.TransportError as error:
            return _Again(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        return self._read(response, bytes(content))

    def _read(self, response: "httpx.Response", content: bytes) -> "dict[str, Any] | _Again":
        status = response.status_code
        if status == 429 or status >= 500:
            return _Again(f"status {status}, {_excerpt(content)}", _retry_after(response.headers.get("retry-after")))
        if status != 200:
            said = f"status {status}, {_excerpt(content)}. {_todo(status)}"
            raise EngineFailed(f"{self.server.url} refused a request: {said}")
        try:
            found = json.loads(content)
        except ValueError as error:
            raise EngineFailed(f"{self.server.url} answered no JSON: {_excerpt(content)}. {_NOT_IT}") from error
        if not isinstance(found, dict):
            raise EngineFailed(f"{self.server.url} answered JSON of another kind: {_excerpt(content)}. {_NOT_IT}")
        return found

    def _rest(self, pause: float, problem: str) -> None:
        if pause >= self._left(problem):
            raise EngineFailed(
                f"{self.server.url} asks for {pause:.0f} s of patience, which is beyond the deadline: {problem}. "
                "Try again later, or raise SEALED_SERVER_SECONDS."
            )
        if self.stopped.wait(pause):
            raise EngineFailed(f"stopped, because another request to {self.server.url} failed.")

    def _left(self, problem: str) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise EngineFailed(
                f"{self.server.url} did not finish within {self.server.seconds:g} s: {problem}. "
                "Raise SEALED_SERVER_SECONDS, lower SEALED_SERVER_CONCURRENCY, or use a faster server."
            )
        return left


@dataclass(frozen=True)
class _Again:
    """A failure that may pass, and how many seconds the server asked us to wait."""

    problem: str
    wait: float | None = None


_NOT_IT = "Point SEALED_SERVER_URL at an OpenAI-compatible server, without /v1 at its end."


@contextmanager
def calls(server: Server) -> Iterator[Calls]:
    """Opens the connections of one job; its deadline runs from now."""
    import httpx

    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        yield Calls(server=server, client=client, deadline=time.monotonic() + server.seconds)


def _pause(attempt: int) -> float:
    """Doubles with each try, and is drawn from its upper half, so that many clients do not come back at once."""
    longest = min(_PAUSE * 2.0**attempt, _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)


def _retry_after(value: str | None) -> float | None:
    """Seconds, given as a number or as a date; None where there is none that can be read."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _excerpt(content: bytes) -> str:
    """The server's own words, short, on one line and without control characters."""
    text = " ".join(content[:2000].decode("utf-8", "replace").split())
    return repr("".join(letter for letter in text if letter.isprintable())[:200])


def _todo(status: int) -> str:
    if status in (401, 403):
        return "Give the server's key in SEALED_SERVER_KEY."
    if status in (301, 302, 307, 308, 404, 405):
        return _NOT_IT
    return "See docs/operating.md for what the server must accept."
