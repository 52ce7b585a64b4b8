"""A body is cut at the largest seams that fit, and nothing of it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.chunking import chunks
from pipeline.types import Document


def words(text: str) -> int:
    return len(text.split())


def cut(body: str, limit: int) -> tuple[str, ...]:
    return chunks(Document(title="Title", body=body), words, limit)


def test_what_fits_stays_whole() -> None:
    assert cut("One two.\n\nThree four.", 4) == ("One two.\n\nThree four.",)


def test_paragraphs_that_fit_together_stay_together() -> None:
    assert cut("a b\n\nc d\n\ne f\n\ng h", 5) == ("a b\n\nc d", "e f\n\ng h")


def test_a_paragraph_too_long_is_cut_between_sentences() -> None:
    body = "Short one.\n\nFirst sentence here. Second one (with more). “Third!” And fourth?"
    assert cut(body, 5) == ("Short one.", "First sentence here.", "Second one (with more). “Third!”", "And fourth?")


def test_lines_are_cut_before_sentences() -> None:
    assert cut("a -> b. c\nd -> e. f\ng -> h. i", 8) == ("a -> b. c\nd -> e. f", "g -> h. i")


def test_a_sentence_too_long_is_cut_between_words() -> None:
    assert cut("a b c d e f g", 3) == ("a b c", "d e f", "g")


def test_a_word_too_long_is_cut_inside() -> None:
    pieces = chunks(Document(title="", body="x" * 50), len, 7)
    assert "".join(pieces) == "x" * 50
    assert max(map(len, pieces)) <= 7


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        cut("a b", 0)


@given(st.text("ab .!\n", max_size=200), st.integers(1, 30))
def test_chunks_fit_and_lose_nothing(body: str, limit: int) -> None:
    pieces = chunks(Document(title="", body=body), len, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(body.split())
