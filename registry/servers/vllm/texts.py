"""Asks a vLLM server for texts: token ids in, token ids out, whole or as they come. Knows no release and no text."""

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from pipeline.engines.http_calls import Server, open_client
from pipeline.errors import EngineFailed, NotServing

_SILENCE = httpx.Timeout(600.0, connect=10.0)  # seconds without a byte
_FINISHES = ("stop", "length")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ids:
    """The next ids of a text, and why it ended ("stop", "length"; None: it goes on)."""

    ids: tuple[int, ...]
    finish: str | None


@dataclass(frozen=True, eq=False)
class VllmTexts:
    """The texts of one server. `stops`: ids that end a text and are left out of it."""

    server: Server
    stops: frozenset[int]

    async def whole(self, body: Mapping[str, Any]) -> Ids:
        """The ids of one text. Ends with the task that waits for it. Raises NotServing, EngineFailed."""
        try:
            response = await self._client.post("/v1/completions", json={**body, "stream": False})
        except httpx.TransportError as error:
            raise _silent(self.server, error) from error
        return self._read(_checked(response.status_code, response.content, self.server), body, whole=True)

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[Ids, None]:
        """The ids of one text as they come; the last have a finish. Raises as `whole` does."""
        try:
            async with self._client.stream("POST", "/v1/completions", json={**body, "stream": True}) as response:
                if response.status_code != 200:
                    _checked(response.status_code, await response.aread(), self.server)
                async for line in response.aiter_lines():
                    if not line.startswith("data: "):
                        continue
                    if line == "data: [DONE]":
                        break
                    found = self._read(_checked(200, line.removeprefix("data: "), self.server), body, whole=False)
                    yield found
                    if found.finish:
                        return
        except httpx.TransportError as error:
            raise _silent(self.server, error) from error
        raise EngineFailed("the vLLM server ended a text without saying why. Ask again; see its log.")

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        # No connection outlives its text, so none belongs to an event loop that has ended.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return open_client(self.server, httpx.AsyncClient, timeout=_SILENCE, limits=limits)

    def _read(self, answer: Mapping[str, Any], body: Mapping[str, Any], *, whole: bool) -> Ids:
        """The ids that an answer brings. Raises EngineFailed unless they are of the model that was asked."""
        choices, name = answer.get("choices"), body["model"]
        if answer.get("model") != name or not isinstance(choices, list) or len(choices) != 1:
            raise EngineFailed("the vLLM server gave another answer than was asked for. See its log.")
        ids, finish = choices[0].get("token_ids"), choices[0].get("finish_reason")
        if not isinstance(ids, list) or (finish is None and whole) or finish not in (None, *_FINISHES):
            raise EngineFailed(f"the vLLM server gave a text that is not whole ({finish}). Ask again; see its log.")
        ended = finish == "stop" and ids and ids[-1] in self.stops
        return Ids(ids=tuple(ids[:-1] if ended else ids), finish=finish)


def _checked(status: int, content: bytes | str, server: Server) -> Mapping[str, Any]:
    """The JSON object of an answer. Clients see these errors, so they name no address and quote nothing."""
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if status == 200 and isinstance(found, dict) and "error" not in found:
        return found
    _LOG.error("%s answered status %d: %.300r", server.name, status, content)
    if status in (404, 429, 502, 503):
        raise NotServing("the vLLM server does not have this release now; it is loaded again. Try again in a second.")
    raise EngineFailed(f"the vLLM server refused a request (status {status}). See the log of the gateway.")


def _silent(server: Server, error: httpx.TransportError) -> NotServing:
    _LOG.error("%s does not answer: %s", server.name, type(error).__name__)
    return NotServing("the vLLM server does not answer. Try again in a while.")
