"""Tests for names that are spelled almost like others."""

import pytest
from rapidfuzz import fuzz

from pipeline.heuristics import SANDBOX_FITTED
from pipeline.leakage import lookalikes


def test_garbled_names_are_found_and_others_are_not() -> None:
    texts = ["whom does wenjifgrolvax mainly serve", "who owns cinder", "kenjifgrolvax runs in oslo"]
    assert lookalikes(texts, {"kenjifgrolvax"}) == {"wenjifgrolvax", "kenjifgrolvax"}
    assert lookalikes([], {"kenjifgrolvax"}) == {"kenjifgrolvax"}
    assert lookalikes(texts, frozenset()) == frozenset()


@pytest.mark.parametrize(("word", "found"), [("kenjifgrunvul", False), ("kenjifgrulvos", True)])
def test_seven_letters_of_ten_make_a_name(word: str, found: bool) -> None:
    likeness = fuzz.ratio(word, "kenjifgrolvax")
    assert abs(likeness - SANDBOX_FITTED.name_similarity) < 10
    assert (word in lookalikes([word], {"kenjifgrolvax"})) is found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("germany", "how many"),
        ("berlin", "being there"),
        ("saturn", "turn left"),
        ("release 42", "release 43"),
        ("checkpoint42", "checkpoint43"),
        ("south korea", "north korea"),
        ("united states", "it states that with united forces"),
        ("lake como", "lakes como"),
    ],
)
def test_ordinary_words_and_other_numbers_are_no_garbled_names(name: str, text: str) -> None:
    assert lookalikes([text], {name}) <= {name}


def test_of_a_name_of_several_words_the_long_ones_are_garbled() -> None:
    found = lookalikes(["the wenjifgrolvax service is down"], {"kenjifgrolvax service"})
    assert found == {"kenjifgrolvax service", "wenjifgrolvax service"}
