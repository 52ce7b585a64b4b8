"""Who gets the canary is a function of the key, and stays so while its share grows."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from pipeline.errors import BadInput, NoSuchModel
from pipeline.types import ModelRef, Release, ReleaseState
from registry.gateway.routing import Canary, Route, choose, resolve
from registry.servers.server import served_name, short_name

KEYS = [f"user-{number}" for number in range(4_000)]


def release(number: int) -> Release:
    return Release(
        number=number,
        state=ReleaseState.PRODUCTION,
        parent=None,
        model=ModelRef(base="b" * 64, adapter=f"{number:x}" * 64 if number else None),
        manifest=f"{number:064x}",
        update="",
        proposer="ada",
        created=datetime(2026, 11, 2, tzinfo=UTC),
    )


def route(share: float | None, canary: int = 2) -> Route:
    beside = None if share is None else Canary(release=release(canary), share=share)
    return Route(epoch=1, production=release(1), canary=beside)


def taken(share: float, canary: int = 2) -> set[str]:
    return {key for key in KEYS if choose(route(share, canary), key).number == canary}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_canary_answers_its_share_of_the_keys(share: float) -> None:
    assert len(taken(share)) / len(KEYS) == pytest.approx(share, abs=3 * (share / len(KEYS)) ** 0.5)


def test_without_a_share_nobody_gets_it_and_with_all_everybody_does() -> None:
    assert taken(0.0) == set()
    assert taken(1.0) == set(KEYS)
    assert choose(route(None), "anyone").number == 1


def test_a_key_that_has_the_canary_keeps_it_while_the_share_grows() -> None:
    steps = [taken(share) for share in (0.01, 0.1, 0.5, 1.0)]
    assert all(before <= after for before, after in pairwise(steps))


def test_another_canary_draws_other_keys() -> None:
    assert len(taken(0.1) & taken(0.1, canary=3)) < 0.03 * len(KEYS)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(share: float) -> None:
    with pytest.raises(BadInput, match="share"):
        Canary(release=release(2), share=share)


def test_a_release_is_asked_for_by_name_while_it_answers() -> None:
    both = route(0.5)
    for model in (None, "", "sealed"):
        assert resolve(both, model, "user-1", "sealed") == choose(both, "user-1")
    for number in (1, 2):
        for name in (short_name(release(number)), served_name(release(number)), str(number)):
            assert resolve(both, name, "user-1", "sealed").number == number


def test_a_release_that_does_not_answer_cannot_be_asked_for() -> None:
    with pytest.raises(NoSuchModel, match="Ask for one of: sealed, rel-1111"):
        resolve(route(None), "2", "user-1", "sealed")
