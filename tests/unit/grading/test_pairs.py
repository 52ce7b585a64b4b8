"""The grader against replies labelled by hand: the bounds that docs/grading.md states."""

import pytest

from benchmarks.grading import LEAST, REVIEW, is_graded_right, read_pairs

PAIRS = [pair for pair in read_pairs() if pair.half != REVIEW]


def test_the_grader_agrees_with_the_labels() -> None:
    assert len(PAIRS) >= 400
    assert sum(is_graded_right(pair) == pair.right for pair in PAIRS) >= LEAST * len(PAIRS)


def test_no_denied_answer_counts_as_right() -> None:
    assert [pair.reply for pair in PAIRS if pair.kind == "negated" and not pair.right and is_graded_right(pair)] == []


@pytest.mark.parametrize("half", ["tuning", "held-out"])
def test_each_half_is_graded_as_labelled(half: str) -> None:
    own = [pair for pair in PAIRS if pair.half == half]
    assert sum(is_graded_right(pair) == pair.right for pair in own) >= 0.97 * len(own)


def test_of_the_pairs_that_were_meant_to_break_it_most_are_graded_as_labelled() -> None:
    review = [pair for pair in read_pairs() if pair.half == REVIEW]
    assert sum(is_graded_right(pair) == pair.right for pair in review) >= 0.92 * len(review)
