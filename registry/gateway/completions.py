"""POST /v1/chat/completions and /v1/completions: one release answers each request from beginning to end."""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from uuid import uuid4

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from pipeline.errors import NotServing, ReleaseNotLoaded, SealedError
from pipeline.types import Release
from registry.gateway.errors import form_of
from registry.gateway.gateway import Gateway, gateway_of, key_of
from registry.gateway.limits import read_body
from registry.gateway.requests import ChatBody, TextBody, read_request
from registry.gateway.responses import Form, error_event
from registry.gateway.routing import resolve
from registry.gateway.streams import Indexed, merged
from registry.servers.server import Generation, Piece

_LONG = 20_000  # bytes from which on a request is read beside the event loop
_CLIENT_GONE = 499  # as nginx logs it; nobody reads it
_TRIES = 5  # of a request whose release was retired between the look at the route and the first token


async def chat(request: Request) -> Response:
    """A conversation, continued by the assistant."""
    return await _answered(request, ChatBody)


async def text(request: Request) -> Response:
    """A text, continued."""
    return await _answered(request, TextBody)


async def _answered(request: Request, kind: type[ChatBody] | type[TextBody]) -> Response:
    gateway = gateway_of(request)
    data = await read_body(request.stream(), gateway.limits.body_bytes, gateway.limits.body_seconds)
    read = asyncio.to_thread(_read, gateway, kind, data) if len(data) > _LONG else None
    body, generations = await read if read else _read(gateway, kind, data)
    key = key_of(request, body.user)
    for _ in range(_TRIES):
        release = resolve(gateway.pointer.route, body.model, key, gateway.alias)
        form = _form(release, generations[0], chat=kind is ChatBody)
        try:
            answer = (
                _streamed(gateway, form, generations, with_usage=body.with_usage)
                if body.stream
                else _whole(gateway, form, generations)
            )
            return await _unless_gone(request, answer)
        except ReleaseNotLoaded:
            await asyncio.sleep(0)
    raise NotServing("the releases change faster than they answer. Try again in a second.")


def _read(
    gateway: Gateway, kind: type[ChatBody] | type[TextBody], data: bytes
) -> tuple[ChatBody | TextBody, tuple[Generation, ...]]:
    body = read_request(kind, data)
    prompts = gateway.prompts
    return body, prompts.chat(body) if isinstance(body, ChatBody) else prompts.text(body)


def _form(release: Release, first: Generation, *, chat: bool) -> Form:
    return Form(
        id=f"{'chatcmpl' if chat else 'cmpl'}-{uuid4().hex}",
        created=int(time.time()),
        release=release,
        chat=chat,
        prompt_tokens=len(first.ids),
    )


async def _unless_gone(request: Request, answer: Coroutine[None, None, Response]) -> Response:
    """The answer, which is broken off when the client goes away: nobody would read it. The body must have been read."""
    answering, gone = asyncio.ensure_future(answer), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else Response(status_code=_CLIENT_GONE)
    finally:
        answering.cancel()
        gone.cancel()


async def _whole(gateway: Gateway, form: Form, generations: tuple[Generation, ...]) -> Response:
    number = form.release.number
    pieces: list[Piece] = await asyncio.gather(*(gateway.server.generate(one, number) for one in generations))
    gateway.metrics.wrote(number, read=form.prompt_tokens, written=sum(piece.tokens for piece in pieces))
    return JSONResponse(form.whole(pieces), headers=form.headers)


async def _streamed(gateway: Gateway, form: Form, generations: tuple[Generation, ...], *, with_usage: bool) -> Response:
    """The response begins with the first piece, so that what fails before it has a status of its own."""
    begun = time.perf_counter()
    pieces = merged([gateway.server.stream(one, form.release.number) for one in generations])
    first = await anext(pieces)
    gateway.metrics.began(time.perf_counter() - begun)
    lines = _lines(gateway, form, first, pieces, with_usage=with_usage)
    return StreamingResponse(
        lines, media_type="text/event-stream", headers=form.headers | {"cache-control": "no-store"}
    )


async def _lines(
    gateway: Gateway, form: Form, first: Indexed, pieces: AsyncGenerator[Indexed, None], *, with_usage: bool
) -> AsyncGenerator[str, None]:
    written: dict[int, int] = {}
    try:
        async with aclosing(pieces):
            choice, piece = first
            written[choice] = piece.tokens
            yield form.opening(choice) + form.chunk(choice, piece)
            async for choice, piece in pieces:
                opening = "" if choice in written else form.opening(choice)
                written[choice] = piece.tokens
                yield opening + form.chunk(choice, piece)
        yield form.closing(sum(written.values()), with_usage=with_usage)
    except SealedError as error:
        yield error_event(form_of(error).body)
    finally:
        gateway.metrics.wrote(form.release.number, read=form.prompt_tokens, written=sum(written.values()))
