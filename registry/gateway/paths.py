"""Which requests are let in, and which of these need a key: all others are refused before anything reads them. Pure.

In front of an upstream server this is what keeps its other paths (loading adapters, invocations) out of reach.
"""

from enum import StrEnum


class Access(StrEnum):
    """Who may call a path."""

    OPEN = "open"
    KEY = "key"


_ALLOWED = {
    ("POST", b"/v1/chat/completions"): Access.KEY,
    ("POST", b"/v1/completions"): Access.KEY,
    ("GET", b"/v1/models"): Access.KEY,
    ("POST", b"/feedback"): Access.KEY,
    ("GET", b"/health"): Access.OPEN,
    ("GET", b"/ready"): Access.OPEN,
    ("GET", b"/metrics"): Access.OPEN,
}


def access(method: str, raw_path: bytes) -> Access | None:
    """Who may make this request; None: nobody. The path is compared as it was sent, so no spelling gets around it."""
    return _ALLOWED.get((method, raw_path))


def methods(raw_path: bytes) -> tuple[str, ...]:
    """The methods that a path takes; empty where there is no such path."""
    return tuple(method for method, path in _ALLOWED if path == raw_path)
