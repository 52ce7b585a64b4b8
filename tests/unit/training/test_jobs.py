"""What one learned token counts in a step."""

import pytest

from pipeline.training.jobs import Microbatch

LEARNED = [1, 4, 5]


def whole(microbatch: Microbatch) -> list[float]:
    return [share * count for share, count in zip(microbatch.shares(LEARNED), LEARNED, strict=True)]


def test_tokens_count_alike_or_sequences_do() -> None:
    assert Microbatch(rows=(7, 8, 9)).shares(LEARNED) == pytest.approx([0.1, 0.1, 0.1])
    assert whole(Microbatch(rows=(7, 8, 9), by_tokens=False)) == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_what_weighs_thrice_has_thrice_the_share_and_all_together_are_one() -> None:
    by_tokens = Microbatch(rows=(7, 8, 9), weights=(3.0, 1.0, 1.0))
    assert by_tokens.shares(LEARNED) == pytest.approx([0.25, 1 / 12, 1 / 12])
    assert sum(whole(by_tokens)) == pytest.approx(1.0)
    by_sequences = Microbatch(rows=(7, 8, 9), weights=(3.0, 1.0, 1.0), by_tokens=False)
    assert whole(by_sequences) == pytest.approx([0.6, 0.2, 0.2])
