"""Two people must approve where the policy says so, on real databases; and what makes an approval void."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pipeline.errors import PolicyError
from pipeline.types import AdapterManifest, DocumentState, Identity, Release, ReleaseState
from registry import ReviewContext, ReviewRules
from tests.ledgers import KEYS, Ledger, document, person

TWO = ReviewRules(approvers=2)
TEAM = ReviewRules(signed_in=True)


def test_the_first_approval_is_recorded_and_the_second_releases(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    assert ledger.record(ledger.approve(1, "ada"), rules=TWO) is None
    assert ledger.releases.get(1).state is ReleaseState.CANDIDATE
    assert ledger.documents.get(document("atlas").id).state is DocumentState.LEASED
    missing = ledger.deployments.still_missing(1, rules=TWO)
    assert missing.startswith("release 1 needs 2 approvals by different people, and has those of ada: another person")
    assert ledger.promote(1, "grace", rules=TWO).actor == "grace"
    assert ledger.deployments.still_missing(1, rules=TWO) == ""
    assert [one.actor for one in ledger.releases.approvals(1)] == ["ada", "grace"]
    release = ledger.releases.get(1)
    ledger.deployments.expect_signed(release, ledger.manifest(release), KEYS)


@pytest.mark.parametrize("spelled", ["ada", "ADA.", "a\u200bda"])
def test_one_person_does_not_approve_twice(ledger: Ledger, spelled: str) -> None:
    ledger.candidate("atlas")
    ledger.record(ledger.approve(1, "ada"), rules=TWO)
    with pytest.raises(PolicyError, match=r"ada approved release 1 already: release 1 needs 2 approvals"):
        ledger.record(ledger.approve(1, spelled), rules=TWO)
    assert len(ledger.releases.approvals(1)) == 1


def test_an_approval_is_void_once_production_moved(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.candidate("borea")
    ledger.record(ledger.approve(2, "ada"), rules=TWO)
    late = ledger.approve(2, "grace")
    ledger.rollback()
    with pytest.raises(PolicyError, match=r"release 2 is stale, not a candidate .production was rolled back"):
        ledger.record(late, rules=TWO)


def test_an_approval_that_expired_is_no_longer_one_of_the_two(ledger: Ledger) -> None:
    release = ledger.candidate("atlas")
    ledger.record(ledger.approve(1, "ada", at=release.created), rules=TWO)
    later = release.created + timedelta(days=6)
    days = ReviewRules(approvers=2, approval_days=7.0)
    second = ledger.approve(1, "grace", at=later)
    long_after = release.created + timedelta(days=7, hours=1)
    assert ledger.record(second, rules=days, at=long_after) is None
    missing = ledger.deployments.still_missing(1, rules=days, at=long_after)
    assert "has those of grace" in missing
    assert "the approval of release 1 by ada expired after 7 days" in missing


def test_an_approval_by_a_typed_name_is_refused_in_team_mode(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    with pytest.raises(PolicyError, match="ada is a name that nobody proved"):
        ledger.approve(1, "ada", rules=TEAM)
    typed = ledger.approve(1, "ada")
    with pytest.raises(PolicyError, match="ada is a name that nobody proved"):
        ledger.record(typed, rules=TEAM)
    with pytest.raises(PolicyError, match="ada is a name that nobody proved"):
        ledger.deployments.reject(1, actor=person("ada"), reason="bad", context=_team(ledger))
    assert ledger.releases.approvals(1) == ()
    proven = ledger.deployments.approve(1, actor=person("ada", Identity.SIGNED_IN), rules=TEAM)
    deployment = ledger.record(proven, rules=TEAM)
    assert deployment is not None
    assert deployment.by.shown == "ada (signed-in)"


def test_a_typed_approval_from_before_does_not_count_once_a_team_reviews(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    ledger.record(ledger.approve(1, "ada"), rules=TWO)
    both = ReviewRules(approvers=2, signed_in=True)
    proven = ledger.deployments.approve(1, actor=person("grace", Identity.SIGNED_IN), rules=both)
    assert ledger.record(proven, rules=both) is None
    assert "ada is a name that nobody proved" in ledger.deployments.still_missing(1, rules=both)


def test_on_call_rolls_a_team_back_without_signing_in(ledger: Ledger) -> None:
    ledger.release("atlas")
    done = ledger.deployments.rollback(None, actor=person("grace"), reason="bad", context=_team(ledger))
    assert done.by.shown == "grace (account tester, unproven)"


def test_of_two_people_who_approve_at_once_the_second_releases(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    together = threading.Barrier(2)

    def meet(release: Release) -> AdapterManifest | None:
        together.wait(60)
        return ledger.manifest(release)

    given = [ledger.approve(1, name) for name in ("ada", "grace")]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda approval: ledger.record(approval, rules=TWO, verify=meet), given))
    assert sorted(deployment is None for deployment in made) == [False, True]
    assert [one.release for one in ledger.deployments.listed()] == [0, 1]
    assert ledger.deployments.expect_unbroken(KEYS) == 7


def _team(ledger: Ledger) -> ReviewContext:
    return ReviewContext(rules=TEAM, keys=KEYS, verify=ledger.manifest)
