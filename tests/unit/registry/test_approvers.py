"""Who must approve a release, and which approvals count: the two-person rule, in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.types import Actor, Approval, Identity, ModelRef, Release, ReleaseState
from registry import approvers
from registry.approvers import Occasion, ReviewRules

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CANDIDATE = Release(
    number=1,
    state=ReleaseState.CANDIDATE,
    parent=0,
    model=ModelRef(base="b", adapter="a"),
    manifest="m1",
    update="u1",
    proposer="sealed",
    created=NOON,
)
ADA = Approval(release=1, manifest="m1", approved=True, actor="ada", note="", epoch=0, at=NOON)
GRACE = replace(ADA, actor="grace")
NOW = Occasion(release=CANDIDATE, epoch=0, at=NOON)
TWO = ReviewRules(approvers=2)


def test_one_approval_is_enough_where_one_is_needed() -> None:
    assert approvers.missing((ADA,), NOW, ReviewRules()) == ""


def test_a_candidate_that_nobody_approved_says_who_may() -> None:
    assert approvers.missing((), NOW, ReviewRules()) == (
        "release 1 needs an approval: somebody else than sealed must run `sealed approve 1`"
    )


def test_two_different_people_are_enough_where_two_are_needed() -> None:
    assert approvers.missing((ADA, GRACE), NOW, TWO) == ""


@pytest.mark.parametrize("spelled", ["ada", " ADA ", "a.da", "adа".replace("а", "a")])
def test_one_person_in_two_spellings_is_one_person(spelled: str) -> None:
    again = replace(ADA, actor=spelled)
    assert "needs 2 approvals by different people, and has those of ada" in approvers.missing((ADA, again), NOW, TWO)
    assert "ada approved release 1 already" in str(approvers.against_repetition(again, (ADA,), NOW, TWO))


def test_who_lowered_the_rule_to_one_approver_may_approve_again() -> None:
    assert approvers.against_repetition(ADA, (ADA,), NOW, ReviewRules()) is None


@pytest.mark.parametrize("spelled", ["sealed", " Sealed", "sea-led"])
def test_the_proposer_is_never_one_of_them(spelled: str) -> None:
    assert [one.actor for one in approvers.standing((replace(ADA, actor=spelled), GRACE), NOW, TWO)] == ["grace"]


def test_a_rejection_and_another_release_count_for_nothing() -> None:
    given = (replace(ADA, approved=False), replace(GRACE, release=2))
    assert approvers.standing(given, NOW, TWO) == ()
    assert "has those of nobody" in approvers.missing(given, NOW, TWO)


@pytest.mark.parametrize(
    ("approval", "now", "words"),
    [
        (ADA, replace(NOW, epoch=1), "the approval by ada is void: production moved (epoch 0 to 1) since"),
        (replace(ADA, manifest="m0"), NOW, "the approval by ada is void: release 1 holds another adapter since"),
        (
            ADA,
            replace(NOW, at=NOON + timedelta(days=7, seconds=1)),
            "approval of release 1 by ada expired after 7 days",
        ),
    ],
)
def test_an_approval_that_is_void_says_why(approval: Approval, now: Occasion, words: str) -> None:
    assert words in str(approvers.against_standing(approval, now, TWO))
    assert words in approvers.missing((approval, GRACE), now, TWO)


def test_an_approval_by_a_typed_name_does_not_count_in_team_mode() -> None:
    team = ReviewRules(signed_in=True)
    assert "ada is a name that nobody proved" in str(approvers.against_identity(ADA.by, team))
    assert approvers.standing((ADA,), NOW, team) == ()
    proven = replace(ADA, identity=Identity.SIGNED_IN)
    assert approvers.against_identity(proven.by, team) is None
    assert approvers.standing((ADA, proven), NOW, team) == (proven,)


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        (Actor(name="grace", account="alice"), "grace (account alice, unproven)"),
        (Actor(name="alice", account="alice"), "alice (unproven)"),
        (Actor(name="sealed"), "sealed (unproven)"),
        (Actor(name="grace", account="alice", identity=Identity.SIGNED_IN), "grace (signed-in)"),
    ],
)
def test_a_name_is_shown_with_what_proves_it(actor: Actor, shown: str) -> None:
    assert actor.shown == shown
