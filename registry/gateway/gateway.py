"""The parts of a gateway, and how a path finds them. Knows no path."""

from dataclasses import dataclass, field

from fastapi import Request

from registry.gateway.feedback import Deliver, Record
from registry.gateway.keys import KeyRing
from registry.gateway.limits import Buckets, Limits
from registry.gateway.metrics import Metrics
from registry.gateway.pointer import Pointer
from registry.gateway.prompts import Prompts
from registry.servers.server import Server

SESSION = "x-sealed-session"  # a header that keeps a client's requests with one release while a canary runs


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The parts of a gateway. `alias`: the name of the model whose answers are the deployed release's."""

    server: Server
    pointer: Pointer
    prompts: Prompts
    keys: KeyRing
    deliver: Deliver
    record: Record
    metrics: Metrics
    alias: str = "sealed"
    limits: Limits = field(default_factory=Limits)
    grades: Buckets = field(init=False)  # by API key, as the other
    corrections: Buckets = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "grades", Buckets(self.limits.grades_per_minute))
        object.__setattr__(self, "corrections", Buckets(self.limits.corrections_per_minute))


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    found: Gateway = request.app.state.gateway
    return found


def caller_of(request: Request) -> str:
    """The name of the API key that a request came with."""
    return str(request.state.caller)


def key_of(request: Request, user: str | None) -> str:
    """Who asks: what a canary's share is drawn by, and whose feedback counts once a day.

    Within an API key that is the session or the user that the client names, else its address.
    """
    host = request.client.host if request.client else ""
    return f"{caller_of(request)}:{request.headers.get(SESSION) or user or host}"
