"""How many eval items of earlier releases are asked: bounded, every release with its share, and the same ones again."""

import pytest

from gates.draws import counted_items, draw
from gates.evidence import ReleaseEvalSet
from pipeline.types import Document, EvalItem

MOST = 400


def _earlier(releases: int, items: int = 100) -> list[ReleaseEvalSet]:
    return [
        ReleaseEvalSet(
            release=number,
            eval_items=tuple(EvalItem(question=f"{number}, {at}?", answers=("x",)) for at in range(items)),
        )
        for number in range(1, releases + 1)
    ]


def _asked(sets: tuple[ReleaseEvalSet, ...]) -> int:
    return sum(len(one.eval_items) for one in sets)


def test_the_thirtieth_run_asks_as_much_as_the_fifth() -> None:
    fifth, thirtieth = (_asked(draw(_earlier(runs - 1), MOST)) for runs in (5, 30))
    assert fifth == MOST
    assert 0.9 * fifth <= thirtieth <= 1.2 * fifth


def test_what_is_little_is_asked_whole() -> None:
    assert draw(_earlier(4), MOST) == tuple(_earlier(4))
    assert draw([], MOST) == ()


def test_the_newest_is_asked_whole_and_each_other_has_its_share() -> None:
    *older, newest = draw(_earlier(29), MOST)
    assert len(newest.eval_items) == 100
    assert {len(one.eval_items) for one in older} == {300 // 28}


def test_a_small_release_is_asked_whole_and_leaves_its_rest_to_the_others() -> None:
    sets = [*_earlier(1, items=5), *(one for one in _earlier(6) if one.release > 1)]
    small, *others, _ = draw(sets, MOST)
    assert len(small.eval_items) == 5
    assert {len(one.eval_items) for one in others} == {295 // 4}


def test_a_large_newest_release_leaves_half_to_the_others() -> None:
    older, newest = draw([*_earlier(1, items=500), _earlier(2, items=900)[1]], MOST)
    assert (len(older.eval_items), len(newest.eval_items)) == (200, 900)


@pytest.mark.parametrize("releases", [4, 9, 28])
def test_one_more_release_asks_nothing_of_the_others_that_was_not_asked_before(releases: int) -> None:
    before = {one.release: set(one.eval_items) for one in draw(_earlier(releases), MOST)}
    for one in draw(_earlier(releases + 1), MOST)[:-1]:
        assert set(one.eval_items) <= before[one.release]


def test_of_a_long_exam_the_same_few_questions_count_whoever_stands_beside_it() -> None:
    (long_, short) = (
        Document(title=str(size), body=f"body {size}", eval_items=_earlier(1, size)[0].eval_items) for size in (200, 3)
    )
    counting = counted_items([long_, short], 12)
    assert len(counting) == 12 + 3
    assert counted_items([long_], 12) == counting[:12]
    assert counted_items([long_], 500) != counting[:12]
