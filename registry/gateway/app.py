"""The gateway as an ASGI application: its paths behind the guard, and errors in OpenAI's form."""

import asyncio

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from pipeline.errors import ExternalError, SealedError
from registry.gateway import completions
from registry.gateway.errors import form_of
from registry.gateway.feedback import Feedback, Grade, PraiseBody, read_feedback
from registry.gateway.gateway import Gateway, caller_of, gateway_of, key_of
from registry.gateway.guard import Guard, error_response
from registry.gateway.limits import read_body
from registry.gateway.metrics import CONTENT_TYPE
from registry.servers.server import short_name


def create_app(gateway: Gateway) -> Guard:
    """The application of these parts. Its pointer must be started by the caller."""
    app = FastAPI(title="sealed", openapi_url=None)
    app.state.gateway = gateway
    app.add_exception_handler(SealedError, _refused)
    for method, path, endpoint in (
        ("POST", "/v1/chat/completions", completions.chat),
        ("POST", "/v1/completions", completions.text),
        ("GET", "/v1/models", models),
        ("POST", "/feedback", feedback),
        ("GET", "/health", health),
        ("GET", "/ready", ready),
        ("GET", "/metrics", metrics),
    ):
        app.add_api_route(path, endpoint, methods=[method], response_model=None)
    return Guard(app, gateway.keys, gateway.limits, gateway.metrics)


async def models(request: Request) -> Response:
    """The names that answer now: the alias, and each release by its own."""
    gateway = gateway_of(request)
    route = gateway.pointer.route
    names = [(gateway.alias, route.production), *((short_name(one), one) for one in route.answering)]
    listed = [
        {
            "id": name,
            "object": "model",
            "created": int(release.created.timestamp()),
            "owned_by": "sealed",
            "root": short_name(release),
            "release": release.number,
        }
        for name, release in names
    ]
    return JSONResponse({"object": "list", "data": listed})


async def feedback(request: Request) -> Response:
    """What a person thinks of an answer: 202 with the correction's name, if it was bad, and whether it was counted."""
    gateway = gateway_of(request)
    try:
        gateway.grades.take(caller_of(request))
        data = await read_body(request.stream(), gateway.limits.feedback_bytes, gateway.limits.body_seconds)
        body = read_feedback(data)
        source = caller_of(request) if gateway.keys.several else ""
        grade = body.model and Grade(model=body.model, key=key_of(request, body.user), good=body.good, source=source)
        correction = None if isinstance(body, PraiseBody) else body.feedback(caller_of(request))
        counted, document = await asyncio.to_thread(_taken, gateway, grade or None, correction)
    except SealedError:
        gateway.metrics.feedback("refused")
        raise
    gateway.metrics.feedback("taken")
    return JSONResponse({"object": "feedback", "document": document, "counted": counted}, status_code=202)


def _taken(gateway: Gateway, grade: Grade | None, correction: Feedback | None) -> tuple[bool, str | None]:
    """Whether the grade counts, and the correction's name. The grade stands where the correction is refused."""
    counted = grade is not None and gateway.record(grade)
    if correction is None:
        return counted, None
    gateway.corrections.take(correction.caller)
    try:
        return counted, gateway.deliver(correction)
    except OSError as error:
        raise ExternalError(f"a correction cannot be written: {error}. See that the disk has room.") from error


async def health(request: Request) -> Response:
    """200 while the threads that answer and follow the ledger live: otherwise the process must be started again."""
    gateway = gateway_of(request)
    alive = await asyncio.to_thread(lambda: gateway.server.alive)  # a server elsewhere takes its time to say so
    parts = {"server": alive, "pointer": gateway.pointer.alive}
    return JSONResponse({"ok": all(parts.values()), **parts}, status_code=200 if all(parts.values()) else 503)


async def ready(request: Request) -> Response:
    """200 where a release answers. What is not as the ledger wants it stands in `problems`."""
    gateway = gateway_of(request)
    route = gateway.pointer.current
    said = {
        "ready": route is not None,
        "release": route.production.number if route else None,
        "model": short_name(route.production) if route else None,
        "epoch": route.epoch if route else None,
        "canary": {"release": route.canary.release.number, "share": route.canary.share}
        if route and route.canary
        else None,
        "loaded": [release.number for release in gateway.server.loaded()],
        "problems": list(gateway.pointer.problems),
    }
    return JSONResponse(said, status_code=200 if route else 503)


async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(gateway_of(request).metrics.exposed(), media_type=CONTENT_TYPE)


async def _refused(request: Request, error: Exception) -> Response:
    """Anything of ours that was raised before an answer began."""
    if not isinstance(error, SealedError):
        raise error
    return error_response(form_of(error))
