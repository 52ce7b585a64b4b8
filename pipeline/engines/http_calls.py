"""JSON calls to one HTTP server, with a deadline and retries. Knows no model and no prompt.

Connection errors, 429 (its Retry-After is respected) and 5xx are retried with exponential backoff and jitter; any other
status is final.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from pipeline.addresses import harmless, redacted, redacted_address, secrets_of
from pipeline.errors import EngineFailed, InternalError

Item = TypeVar("Item")
Found = TypeVar("Found")
Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)

_CONNECT = 10.0  # seconds
_PAUSE = 0.5  # seconds before the second try
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server's address and key, the attempts of one call, and the seconds of a whole job. `url`: without /v1.

    settings: how the names of its settings begin, for errors.
    """

    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    attempts: int = 6
    seconds: float = 3600.0
    settings: str = "SEALED_SERVER"

    @property
    def name(self) -> str:
        """Its address without secrets."""
        return redacted_address(self.url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may contain, though a library's or the server's own message might."""
        return (*secrets_of(self.url), *([self.key] if self.key else []))


@dataclass
class Calls:
    """The calls of one job, from any thread. Once one fails for good, `stopped` ends the pauses of the others."""

    server: Server
    client: httpx.Client
    deadline: float
    stopped: threading.Event = field(default_factory=threading.Event)

    def json(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that GET (no body) or POST returns. Raises EngineFailed."""
        content = self.content(path, body)
        try:
            found = json.loads(content)
        except ValueError as error:
            raise EngineFailed(
                f"{self.server.name} answered no JSON: {self._excerpt(content)}. {_not_it(self.server)}"
            ) from harmless(error, *self.server.secrets)
        if not isinstance(found, dict):
            raise EngineFailed(
                f"{self.server.name} answered JSON of another kind: {self._excerpt(content)}. {_not_it(self.server)}"
            )
        return found

    def content(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        """What GET (no body) or POST returns with status 200. Raises EngineFailed."""
        tries = Retrying(
            retry=retry_if_exception_type(_PassingError),
            stop=stop_after_attempt(self.server.attempts),
            wait=_Pause(),
            before_sleep=self._check_pause,
            sleep=self._rest,
            reraise=True,
        )
        try:
            return tries(self._once, path, body)
        except _PassingError as last:
            raise EngineFailed(
                f"{self.server.name} did not answer in {self.server.attempts} tries: {last}. "
                "Look at the server's log; what was written before is stored, so start again when it is well."
            ) from last

    def bounded(self, work: Callable[[Item], Found], items: Sequence[Item], most: int) -> Iterator[Found]:
        """Results as they finish, of at most `most` items at a time. After a failure no item is begun or repeated."""
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

    def _once(self, path: str, body: dict[str, Any] | None) -> bytes:
        left = self._left("the server is too slow")
        timeout = httpx.Timeout(left, connect=min(left, _CONNECT))
        try:
            with self.client.stream("POST" if body else "GET", path, json=body, timeout=timeout) as response:
                content = bytearray()
                for piece in response.iter_bytes():
                    content += piece
                    self._left("the server is too slow")
        except httpx.TransportError as error:
            said = redacted(str(error), *self.server.secrets)
            cause = harmless(error, *self.server.secrets)
            raise _PassingError(f"{type(error).__name__}: {said}" if said else type(error).__name__) from cause
        return self._checked(response, bytes(content))

    def _checked(self, response: httpx.Response, content: bytes) -> bytes:
        status = response.status_code
        if status == 429 or status >= 500:
            wait = _retry_after(response.headers.get("retry-after"))
            raise _PassingError(f"status {status}, {self._excerpt(content)}", wait)
        if status != 200:
            said = f"status {status}, {self._excerpt(content)}. {_todo(self.server, status)}"
            kind = RequestRefused if status in (400, 422) else EngineFailed
            raise kind(f"{self.server.name} refused a request: {said}")
        return content

    def _excerpt(self, content: bytes) -> str:
        """The start of the server's answer on one line, without secrets and control characters."""
        text = " ".join(redacted(content[:2000].decode("utf-8", "replace"), *self.server.secrets).split())
        return repr("".join(letter for letter in text if letter.isprintable())[:200])

    def _check_pause(self, state: RetryCallState) -> None:
        """Raises EngineFailed where the next try would come after the deadline."""
        pause, problem = state.upcoming_sleep, str(_problem(state))
        if pause >= self._left(problem):
            raise EngineFailed(
                f"{self.server.name} asks for {pause:.0f} s of patience, which is beyond the deadline: {problem}. "
                f"Try again later, or raise {self.server.settings}_SECONDS."
            )

    def _rest(self, pause: float) -> None:
        if self.stopped.wait(pause):
            raise EngineFailed(f"stopped, because another request to {self.server.name} failed.")

    def _left(self, problem: str) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise EngineFailed(
                f"{self.server.name} did not finish within {self.server.seconds:g} s: {problem}. "
                f"Raise {self.server.settings}_SECONDS, ask less at a time, or use a faster server."
            )
        return left


class RequestRefused(EngineFailed):
    """The server does not take a request as it is, such as one with a parameter that it does not know."""


class _PassingError(Exception):
    """A failure worth a retry, with the pause in seconds that the server asked for, if any."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem)
        self.wait = wait


class _Pause(wait_base):
    """The pause before a retry: what the server asked for, else exponential backoff with jitter."""

    def __call__(self, retry_state: RetryCallState) -> float:
        asked = _problem(retry_state).wait
        if asked is not None:
            return asked
        half = {"multiplier": _PAUSE / 2, "max": _LONGEST_PAUSE / 2}
        return (wait_exponential(**half) + wait_random_exponential(**half))(retry_state)


def _problem(state: RetryCallState) -> _PassingError:
    problem = state.outcome.exception() if state.outcome else None
    if not isinstance(problem, _PassingError):
        raise InternalError(f"a request is repeated after {problem!r}. Please report it.")
    return problem


def _not_it(server: Server) -> str:
    return f"Point {server.settings}_URL at an OpenAI-compatible server, without /v1 at its end."


@contextmanager
def calls(server: Server) -> Iterator[Calls]:
    """Opens the connections of one job; its deadline runs from now."""
    with open_client(server, httpx.Client) as client:
        yield Calls(server=server, client=client, deadline=time.monotonic() + server.seconds)


def open_client(server: Server, kind: Callable[..., Client], **options: Any) -> Client:
    """A client of httpx that sends the server's key. Raises EngineFailed where address or key cannot be used."""
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    try:
        # User and password are passed apart from the address, which httpx logs with each request.
        url = httpx.URL(server.url)
        auth = (url.username, url.password) if url.userinfo else None
        return kind(base_url=url.copy_with(userinfo=b""), auth=auth, headers=headers, **options)
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        said = redacted(str(error), *server.secrets)
        raise EngineFailed(
            f"{server.name} cannot be reached: {said}. Correct {server.settings}_URL or {server.settings}_KEY."
        ) from harmless(error, *server.secrets)


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, a number or a date; None where it cannot be read."""
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


def _todo(server: Server, status: int) -> str:
    if status in (401, 403):
        return f"Give the server's key in {server.settings}_KEY."
    if status in (301, 302, 307, 308, 404, 405):
        return _not_it(server)
    return "See docs/operating.md for what the server must accept."
