"""Only the paths that are named are let in, in exactly one spelling."""

import pytest

from registry.gateway.paths import Access, access, methods


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/completions", b"/feedback"])
def test_what_answers_needs_a_key(path: bytes) -> None:
    assert access("POST", path) is Access.KEY
    assert access("GET", path) is None
    assert methods(path) == ("POST",)


@pytest.mark.parametrize("path", [b"/health", b"/ready", b"/metrics"])
def test_what_watches_needs_none(path: bytes) -> None:
    assert access("GET", path) is Access.OPEN


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/load_lora_adapter",
        b"/v1/unload_lora_adapter",
        b"/invocations",
        b"/adapters",
        b"/docs",
        b"/openapi.json",
        b"/",
        b"/v1/models/",
        b"//v1/models",
        b"/v1/./models",
        b"/v1/x/../models",
        b"/v1/%6dodels",
        b"/V1/models",
        b"/v1/models;x",
    ],
)
def test_all_else_is_refused(path: bytes) -> None:
    assert all(access(method, path) is None for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"))
    assert methods(path) == ()
