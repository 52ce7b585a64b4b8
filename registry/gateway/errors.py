"""Errors as OpenAI's clients expect them: a status, and one JSON object with a message, a type, a code and a part."""

import logging
import math
from dataclasses import dataclass
from typing import Any

from pipeline import errors

_FORMS: tuple[tuple[type[errors.SealedError], int, str, str | None], ...] = (
    (errors.NoSuchModel, 404, "invalid_request_error", "model_not_found"),
    (errors.RequestTooLarge, 413, "invalid_request_error", "request_too_large"),
    (errors.Unauthorised, 401, "authentication_error", "invalid_api_key"),
    (errors.TooManyRequests, 429, "rate_limit_error", "rate_limit_exceeded"),
    (errors.RequestTooSlow, 408, "invalid_request_error", "request_too_slow"),
    (errors.BadDataFile, 503, "server_error", "unavailable"),
    (errors.BadRecipe, 503, "server_error", "unavailable"),
    (errors.NoWorkspace, 503, "server_error", "unavailable"),
    (errors.BadInput, 400, "invalid_request_error", None),
    (errors.PolicyError, 409, "invalid_request_error", "refused"),
    (errors.NotServing, 503, "server_error", "not_ready"),
    (errors.ReleaseNotLoaded, 503, "server_error", "not_ready"),
    (errors.DatabaseFailed, 503, "server_error", "unavailable"),
    (errors.SealedError, 500, "server_error", None),
)
# What failed inside, and yet is said in words that hold no path, address or name of a part.
_FIT_TO_TELL = (errors.NotServing, errors.ReleaseNotLoaded)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ErrorForm:
    """An error's HTTP status, its JSON object and its headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def form_of(error: errors.SealedError) -> ErrorForm:
    """How an error of ours is answered. Clients learn that something inside failed, and only the log why."""
    status, kind, code = next((s, k, c) for tree, s, k, c in _FORMS if isinstance(error, tree))
    headers: dict[str, str] = {}
    if isinstance(error, errors.TooManyRequests):
        headers["retry-after"] = str(max(1, math.ceil(error.seconds)))
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    message = str(error)
    if status >= 500 and not isinstance(error, _FIT_TO_TELL):
        _LOG.error("a request failed: %s", error)
        message = f"a part of this server failed ({type(error).__name__}): its log says why. Try again in a minute."
    return ErrorForm(status=status, body=_body(message, kind, code, getattr(error, "param", None)), headers=headers)


def plain_form(status: int, message: str) -> ErrorForm:
    """An error that no class of ours stands for, such as an unknown path."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return ErrorForm(status=status, body=_body(message, kind, None, None), headers={})


def _body(message: str, kind: str, code: str | None, param: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
