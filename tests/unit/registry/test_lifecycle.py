"""The rules of releases, as pure decisions; and, for random histories, what every one of them keeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.types import Approval, Deployment, ModelRef, Release, ReleaseState, Verdict
from registry import lifecycle
from registry.lifecycle import Move

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def release(number: int, state: ReleaseState, parent: int | None = None) -> Release:
    return Release(
        number=number,
        state=state,
        parent=parent,
        model=ModelRef(base="b", adapter=f"a{number}"),
        manifest=f"m{number}",
        update=f"u{number}",
        proposer="sealed",
        created=NOON,
    )


BASE = release(0, ReleaseState.PRODUCTION)
CANDIDATE = release(1, ReleaseState.CANDIDATE, 0)
YES = Approval(release=1, manifest="m1", approved=True, actor="ada", note="", epoch=0, at=NOON)


def test_an_approval_by_another_person_over_this_manifest_at_this_epoch_is_good() -> None:
    assert lifecycle.against_approval(CANDIDATE, Verdict.PASS, BASE, YES, 0) is None


@pytest.mark.parametrize(
    ("candidate", "verdict", "approval", "epoch", "words"),
    [
        (CANDIDATE, Verdict.FAIL, YES, 0, "did not pass its gates"),
        (CANDIDATE, Verdict.INCONCLUSIVE, YES, 0, "did not pass its gates"),
        (CANDIDATE, None, YES, 0, "no report"),
        (replace(CANDIDATE, parent=7), Verdict.PASS, YES, 0, "production moved from release 7 to 0 since release 1"),
        (CANDIDATE, Verdict.PASS, replace(YES, manifest="other"), 0, "another adapter"),
        (CANDIDATE, Verdict.PASS, replace(YES, release=2), 0, "another adapter"),
        (CANDIDATE, Verdict.PASS, YES, 1, "production moved"),
        (CANDIDATE, Verdict.PASS, replace(YES, actor=" Sealed "), 0, "another person must approve"),
        (CANDIDATE, Verdict.PASS, replace(YES, actor="sealed."), 0, "another person must approve"),
        (CANDIDATE, Verdict.PASS, replace(YES, actor="sea\u200bled"), 0, "with `--as NAME`"),
        (CANDIDATE, Verdict.PASS, replace(YES, actor="se\u0430led"), 0, "mixes letters of Cyrillic and Latin"),
        (CANDIDATE, Verdict.PASS, replace(YES, actor=" "), 0, "needs the name"),
        (CANDIDATE, Verdict.PASS, replace(YES, approved=False), 0, "rejected it"),
        (replace(CANDIDATE, state=ReleaseState.ROLLED_BACK, reason="bad"), Verdict.PASS, YES, 0, "rolled back, not"),
        (replace(CANDIDATE, state=ReleaseState.REGISTERING), Verdict.PASS, YES, 0, "registering, not a candidate"),
    ],
)
def test_what_is_against_an_approval_is_said_in_words(
    candidate: Release, verdict: Verdict | None, approval: Approval, epoch: int, words: str
) -> None:
    assert words in str(lifecycle.against_approval(candidate, verdict, BASE, approval, epoch))


def test_an_approval_expires() -> None:
    assert lifecycle.against_age(YES, NOON + timedelta(days=7), 7.0) is None
    assert "expired" in str(lifecycle.against_age(YES, NOON + timedelta(days=7, seconds=1), 7.0))


def test_figures_expire_and_the_words_say_what_to_do() -> None:
    assert lifecycle.against_waiting(CANDIDATE, NOON + timedelta(days=7), 7.0) is None
    words = str(lifecycle.against_waiting(CANDIDATE, NOON + timedelta(days=9), 7.0))
    assert "the gates of release 1 were measured 9.0 days ago" in words
    assert "`sealed update` learns and gates its documents again" in words


def test_only_candidates_that_waited_too_long_expire() -> None:
    late = NOON + timedelta(days=8)
    fresh = replace(release(2, ReleaseState.CANDIDATE, 0), created=late)
    (move,) = lifecycle.expired((BASE, CANDIDATE, fresh, release(3, ReleaseState.REJECTED, 0)), late, 7.0)
    assert (move.release, move.state) == (1, ReleaseState.VOID)
    assert "8.0 days ago" in move.reason


def test_a_rejection_needs_a_candidate_a_name_and_a_reason() -> None:
    assert lifecycle.against_rejection(CANDIDATE, "ada", "wrong") is None
    assert "needs a reason" in str(lifecycle.against_rejection(CANDIDATE, "ada", " "))
    assert "needs the name" in str(lifecycle.against_rejection(CANDIDATE, "", "wrong"))
    assert "not a candidate" in str(lifecycle.against_rejection(BASE, "ada", "wrong"))


HISTORY = (
    release(0, ReleaseState.SUPERSEDED),
    release(1, ReleaseState.SUPERSEDED, 0),
    release(2, ReleaseState.ROLLED_BACK, 1),
    release(3, ReleaseState.PRODUCTION, 1),
    release(4, ReleaseState.CANDIDATE, 3),
)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (None, 1),
        (0, 0),
        (1, 1),
        (2, "release 2 is rolled back"),
        (3, "production already"),
        (4, "release 4 is candidate"),
        (9, "there is no release 9"),
    ],
)
def test_a_rollback_goes_only_to_what_was_production_before(target: int | None, found: int | str) -> None:
    chosen = lifecycle.rollback_target(HISTORY, target)
    assert found in chosen if isinstance(found, str) and isinstance(chosen, str) else found == chosen


def test_the_untouched_base_cannot_be_rolled_back() -> None:
    assert "nothing to roll back" in str(lifecycle.rollback_target((BASE, CANDIDATE), None))


def deployments(*numbers: int) -> list[Deployment]:
    """The history in which these releases were production one after the other."""
    return [
        Deployment(epoch=epoch, release=number, actor="omar", reason="bad answers", at=NOON)
        for epoch, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("history", "back"), [((0,), None), ((0, 1, 3), None), ((0, 1, 2, 1), 1), ((0, 1, 0, 2), None)]
)
def test_only_a_rollback_makes_a_release_production_again(history: tuple[int, ...], back: int | None) -> None:
    found = lifecycle.latest_rollback(deployments(*history))
    assert (found and found.release) == back


def test_straight_after_a_rollback_a_second_one_names_its_target() -> None:
    releases = (*HISTORY[:2], release(2, ReleaseState.PRODUCTION, 1), release(3, ReleaseState.ROLLED_BACK, 2))
    back = lifecycle.latest_rollback(deployments(0, 1, 2, 3, 2))
    words = str(lifecycle.rollback_target(releases, None, back))
    assert "omar rolled production back to release 2 already" in words
    assert "`sealed rollback --to 1` goes further" in words
    assert lifecycle.rollback_target(releases, 1, back) == 1


def test_a_rollback_fells_all_that_came_after_and_makes_stale_what_waits() -> None:
    moves = {move.release: move.state for move in lifecycle.rollback(HISTORY, 0, "grace", "bad")}
    fallen, stale = ReleaseState.ROLLED_BACK, ReleaseState.STALE
    assert moves == {3: fallen, 1: fallen, 4: stale, 0: ReleaseState.PRODUCTION}


def _applied(releases: tuple[Release, ...], moves: tuple[Move, ...]) -> tuple[Release, ...]:
    states = {move.release: move.state for move in moves}
    moved = {move.release: move.event for move in moves}
    for one in releases:
        assert one.number not in moved or lifecycle.against_event(one.number, one.state, moved[one.number]) is None
    return tuple(replace(one, state=states.get(one.number, one.state)) for one in releases)


def _ancestors(releases: tuple[Release, ...], number: int) -> set[int]:
    parent = releases[number].parent
    return set() if parent is None else {parent} | _ancestors(releases, parent)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["gate", "promote", "roll back"]), st.integers(0, 12)), max_size=25))
def test_whatever_happens_one_release_is_production_and_the_fallen_stay_down(steps: list[tuple[str, int]]) -> None:
    """Invariants I1, I5 and I9 on random histories: superseded releases are exactly production's ancestors."""
    releases: tuple[Release, ...] = (BASE,)
    fallen: set[int] = set()
    for step, choice in steps:
        live = next(one for one in releases if one.state is ReleaseState.PRODUCTION)
        waiting = [one for one in releases if one.state is ReleaseState.CANDIDATE]
        target = lifecycle.rollback_target(releases, choice)
        if step == "gate":
            releases = (*releases, release(len(releases), ReleaseState.CANDIDATE, live.number))
        elif step == "promote" and waiting:
            chosen = waiting[choice % len(waiting)]
            assert chosen.parent == live.number
            releases = _applied(releases, lifecycle.promotion(releases, chosen.number))
        elif step == "roll back" and isinstance(target, int):
            releases = _applied(releases, lifecycle.rollback(releases, target, "grace", "bad"))
        (live,) = [one for one in releases if one.state is ReleaseState.PRODUCTION]
        superseded = {one.number for one in releases if one.state is ReleaseState.SUPERSEDED}
        assert superseded == _ancestors(releases, live.number)
        assert live.number not in fallen
        fallen |= {one.number for one in releases if one.state is ReleaseState.ROLLED_BACK}
