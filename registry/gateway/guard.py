"""Stands before all paths: refuses what is not allowed, who has no key, and what is too much at once.

Also counts each request, and answers in OpenAI's form where something of ours was raised before an answer began.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from pipeline.errors import SealedError, TooManyRequests, Unauthorised
from registry.gateway.errors import ErrorForm, form_of, plain_form
from registry.gateway.keys import ANONYMOUS, KeyRing
from registry.gateway.limits import Limits
from registry.gateway.metrics import Metrics
from registry.gateway.paths import Access, access, methods
from registry.gateway.responses import RELEASE

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_RELEASE = RELEASE.encode()
_POLICY_VIOLATION = 1008  # of RFC 6455


@dataclass
class Guard:
    """An ASGI application around another one. The name of the caller's key is `request.state.caller`."""

    app: App
    keys: KeyRing
    limits: Limits
    metrics: Metrics
    under_way: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # whatever speaks it: what cannot be checked for a key is refused
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        allowed = access(scope["method"], scope["raw_path"])
        if allowed is Access.OPEN:
            await self.app(scope, receive, send)
            return
        count = _Count(scope["path"] if allowed else "other", send)
        try:
            await self._keyed(allowed, scope, receive, count.send)
        finally:
            self.metrics.answered(count.path, count.status, count.release, time.perf_counter() - count.begun)

    async def _keyed(self, allowed: Access | None, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if allowed is None:
                raise _not_allowed(scope["raw_path"])
            scope.setdefault("state", {})["caller"] = self._caller(scope)
            if self.under_way >= self.limits.under_way:
                raise TooManyRequests("too many requests are being answered. Try again in a second.", seconds=1.0)
        except (SealedError, HTTPException) as error:
            form = form_of(error) if isinstance(error, SealedError) else plain_form(error.status_code, error.detail)
            await error_response(form)(scope, receive, send)
            return
        self._add(1)
        try:
            await self.app(scope, receive, send)
        finally:
            self._add(-1)

    def _caller(self, scope: Scope) -> str:
        """Who asks. Without keys a page in this machine's browser, which any web site could bring, is not let in."""
        name = self.keys.caller(_authorization(scope))
        if name == ANONYMOUS and any(header == b"origin" for header, _ in scope["headers"]):
            raise Unauthorised("a page in a browser needs an API key: `sealed api-keys add NAME` makes one.")
        return name

    def _add(self, number: int) -> None:
        self.under_way += number
        self.metrics.under_way.set(self.under_way)


class _Count:
    """What became of one request, read from what is sent."""

    def __init__(self, path: str, send: Send) -> None:
        self.path, self._send = path, send
        self.begun = time.perf_counter()
        self.status, self.release = 500, ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.release = next((value.decode() for name, value in message["headers"] if name == _RELEASE), "")
        await self._send(message)


def error_response(form: ErrorForm) -> JSONResponse:
    """An error as a response."""
    return JSONResponse(form.body, status_code=form.status, headers=form.headers)


def _not_allowed(raw_path: bytes) -> HTTPException:
    known = methods(raw_path)
    if known:
        return HTTPException(405, f"this path takes {' and '.join(known)} only.")
    return HTTPException(404, "there is no such path here. See /v1/chat/completions and /v1/models.")


def _authorization(scope: Scope) -> str | None:
    """The header with the key; None unless it stands once."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return found[0].decode("latin-1") if len(found) == 1 else None
