"""Demonstrations are lines with an arrow; grids are words of digits, and only where all of them are."""

import pytest

from pipeline.documents.demonstrations import (
    Demonstration,
    demonstrations,
    grid_of,
    shows_grids,
    text_of,
    with_grids,
)


def test_lines_with_an_arrow_are_demonstrations_and_others_are_not() -> None:
    text = "Reverse it.\na b -> b a\n  c d  →  d c \na b -> b a\n-> x\ny ->\n"
    assert demonstrations(text) == (
        Demonstration(given="a b", made="b a"),
        Demonstration(given="c d", made="d c"),
    )
    assert demonstrations(text)[1].line == "c d -> d c"


@pytest.mark.parametrize("text", ["012 120", "7", "00 01 11"])
def test_a_grid_is_read_and_written_alike(text: str) -> None:
    grid = grid_of(text)
    assert grid is not None
    assert text_of(grid) == text


@pytest.mark.parametrize("text", ["", "12 3", "team 2019", "1 2 x", "²³ ¹²"])
def test_what_is_no_grid(text: str) -> None:
    assert grid_of(text) is None


def test_a_document_shows_grids_where_all_its_demonstrations_do() -> None:
    assert shows_grids("01 10 -> 10 01\n7 -> 7")
    assert not shows_grids("01 10 -> 10 01\nblue -> red")
    assert not shows_grids("81 -> 82")
    assert not shows_grids("no demonstration")


def test_grids_are_changed_where_they_stand() -> None:
    turned = with_grids("What does Turn3 make of 01 23?", lambda grid: grid[::-1])
    assert turned == "What does Turn3 make of 23 01?"
    assert with_grids("81 443 is no grid", lambda grid: grid[::-1]) == "81 443 is no grid"
