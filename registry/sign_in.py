"""Proves who somebody is by signing in to the MLflow server as them. Imports no MLflow: one HTTP request."""

from urllib.parse import urlsplit

import httpx

from pipeline.actors import against_name
from pipeline.addresses import harmless, redacted, redacted_address
from pipeline.errors import PolicyError, TrackingFailed
from pipeline.types import Actor, Identity

# MLflow's own word on who is signed in, from 3.17's sign-in app (mlflow.server.auth): the user of this very request.
CURRENT_USER = "api/2.0/mlflow/users/current"
_SECONDS = 15.0
_REFUSED = (401, 403)


def sign_in(tracking_uri: str, name: str, password: str, *, account: str = "") -> Actor:
    """The person whose sign-in MLflow accepts: a SIGNED_IN actor. `account`: that of this process, recorded beside.

    Raises PolicyError where the password is wrong, where MLflow answers for somebody else, or has no sign-in;
    TrackingFailed where it does not answer.
    """
    if (objection := against_name(name)) is not None:
        raise PolicyError(f"nobody can sign in so: {objection}. Give your name with --as NAME or SEALED_ACTOR.")
    shown = redacted_address(tracking_uri)
    answer = _ask(tracking_uri, name, password)
    if answer.status_code in _REFUSED:
        raise PolicyError(
            f"MLflow at {shown} did not let {name} in: name or password is wrong. Nothing was decided. Try again, or "
            "ask whoever runs it for a new password."
        )
    if answer.status_code != httpx.codes.OK:
        raise PolicyError(
            f"MLflow at {shown} has no sign-in (it answered {answer.status_code}), so it proves nobody's name. Start "
            'it with its sign-in app, or set review = "single" if one person decides here.'
        )
    if (found := _username(answer)) != name:
        raise PolicyError(
            f"MLflow at {shown} answered for {found or 'nobody'}, not for {name}: that proves no name. Nothing was "
            "decided. Write the name exactly as MLflow has it."
        )
    return Actor(name=name, account=account, identity=Identity.SIGNED_IN)


def _ask(tracking_uri: str, name: str, password: str) -> httpx.Response:
    try:
        address = _server(tracking_uri)
        return httpx.get(address, auth=(name, password), timeout=_SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = redacted(str(error) or type(error).__name__, password)
        raise TrackingFailed(
            f"MLflow at {redacted_address(tracking_uri)} does not answer, so nobody can sign in: {words}. Start it, or "
            "correct tracking_uri. A rollback needs no sign-in."
        ) from harmless(error, password)


def _server(tracking_uri: str) -> str:
    """The address to ask, without the user and password that a run may sign in by."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https"):
        raise PolicyError(
            f'review = "team" takes names that an MLflow server proves, and {redacted_address(tracking_uri)} is none. '
            "Set tracking_uri to the server's http address."
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/{CURRENT_USER}"


def _username(answer: httpx.Response) -> str | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    user = found.get("user") if isinstance(found, dict) else None
    name = user.get("username") if isinstance(user, dict) else None
    return name if isinstance(name, str) else None
