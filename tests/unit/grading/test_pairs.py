"""The grader against replies labelled by hand: the bounds that docs/grading.md states."""

import pytest

from benchmarks.grading import LEAST, is_graded_right, read_pairs

PAIRS = read_pairs()


def test_the_grader_agrees_with_the_labels() -> None:
    assert len(PAIRS) >= 400
    assert sum(is_graded_right(pair) == pair.right for pair in PAIRS) >= LEAST * len(PAIRS)


def test_no_denied_answer_counts_as_right() -> None:
    assert [pair.reply for pair in PAIRS if pair.kind == "negated" and not pair.right and is_graded_right(pair)] == []


@pytest.mark.parametrize("half", ["tuning", "held-out"])
def test_each_half_is_graded_as_labelled(half: str) -> None:
    own = [pair for pair in PAIRS if pair.half == half]
    assert sum(is_graded_right(pair) == pair.right for pair in own) >= 0.97 * len(own)
