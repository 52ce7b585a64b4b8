"""Tests for names that are spelled almost like others."""

from pipeline.lookalikes import lookalikes


def test_garbled_names_are_found_and_others_are_not() -> None:
    texts = ["whom does wenjifgrolvax mainly serve", "who owns cinder", "kenjifgrolvax runs in oslo"]
    assert lookalikes(texts, {"kenjifgrolvax"}) == {"wenjifgrolvax", "kenjifgrolvax"}


def test_a_name_of_several_words_is_looked_for_in_as_many() -> None:
    assert lookalikes(["lakes como is in italy", "the lake"], {"lake como"}) == {"lakes como"}


def test_short_names_are_like_nothing() -> None:
    assert lookalikes(["who owns ember and embers"], {"ember"}) == frozenset()
    assert lookalikes([], {"kenjifgrolvax"}) == frozenset()
