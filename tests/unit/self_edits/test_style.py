"""Styles are found by name, in the workspace first and among entry points then."""

import importlib.metadata
import types
from collections.abc import Callable

import pytest

from pipeline.errors import BadRecipe
from pipeline.self_edits.style import ENTRY_POINTS, STYLES, style
from pipeline.self_edits.styles import self_qa

HOUSE = (
    "case-studies",
    "chain-of-thought",
    "critical-thinking",
    "directives",
    "discussions",
    "implications",
    "implications-long",
    "implications-very-long",
    "key-concepts",
    "mind-map",
    "rewrite",
    "self-qa",
    "self-study",
    "teacher",
)


class _Entry:
    value = "acme.styles"

    def __init__(self, loaded: object) -> None:
        self.load = lambda: loaded


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, object], None]:
    def put(name: str, loaded: object) -> None:
        def entry_points(*, group: str, name: str | None = None) -> object:
            found = [_Entry(loaded)] if group == ENTRY_POINTS and name in (None, wanted) else []
            return types.SimpleNamespace(names={wanted}) if name is None else found

        wanted = name
        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    return put


def test_the_houses_styles_are_known_by_their_recipe_names() -> None:
    assert set(HOUSE) <= set(STYLES.names())
    assert style("self-qa") is self_qa


def test_modules_that_are_no_style_have_no_name() -> None:
    assert "lines" not in STYLES.names()


def test_a_third_partys_style_is_found_by_its_entry_point(install: Callable[[str, object], None]) -> None:
    acme = types.SimpleNamespace(NAME="haiku", prompt=lambda title, body: body, parse=lambda title, text: ())
    install("haiku", acme)
    assert style("haiku") is acme
    assert "haiku" in STYLES.names()


def test_an_entry_point_that_is_no_style_is_a_bad_recipe(install: Callable[[str, object], None]) -> None:
    install("haiku", object())
    with pytest.raises(BadRecipe, match=r"the self-edit style 'haiku' of acme\.styles lacks NAME, prompt or parse"):
        style("haiku")


def test_the_houses_own_style_wins_over_an_entry_point(install: Callable[[str, object], None]) -> None:
    install("self-qa", object())
    assert style("self-qa") is self_qa


def test_an_unknown_style_names_the_known_ones() -> None:
    with pytest.raises(BadRecipe, match=", ".join(HOUSE)):
        style("limerick")
