"""Promotions, rejections and rollbacks on real databases, and what becomes of documents, runs and other releases."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.errors import CorruptAdapter, NoSuchRelease, PolicyError
from pipeline.types import AdapterManifest, Deployment, DocumentState, Release, ReleaseState, RunState
from tests.ledgers import Ledger, document, intake, manifest_of


def states(ledger: Ledger) -> dict[int, ReleaseState]:
    return {one.number: one.state for one in ledger.releases.listed()}


def state_of(ledger: Ledger, name: str) -> DocumentState:
    return ledger.documents.get(document(name).id).state


def corrupt(release: Release) -> None:
    raise CorruptAdapter(f"the adapter of release {release.number} is damaged: train it again.")


def test_a_promotion_moves_release_documents_run_and_history_together(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    deployment = ledger.promote(1)
    assert (deployment.epoch, deployment.release, deployment.actor) == (1, 1, "ada")
    assert states(ledger) == {0: ReleaseState.SUPERSEDED, 1: ReleaseState.PRODUCTION}
    assert ledger.documents.get(document("atlas").id).release == 1
    assert ledger.runs.get(1).state is RunState.RELEASED
    (approval,) = ledger.releases.approvals(1)
    assert (approval.approved, approval.epoch, approval.manifest) == (True, 0, ledger.releases.get(1).manifest)
    assert ledger.deployments.listed()[-1] == deployment


@pytest.mark.parametrize("actor", ["sealed", " SEALED ", "sealed.", "sea\u200bled", "ｓｅａｌｅｄ", "séaled"])
def test_the_proposer_does_not_approve(ledger: Ledger, actor: str) -> None:
    ledger.candidate("atlas")
    with pytest.raises(PolicyError, match="another person must approve it"):
        ledger.approve(1, actor=actor)


def test_an_approval_that_waited_too_long_moves_nothing(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    approval = ledger.approve(1, actor="ada")
    late = approval.at + timedelta(days=7, hours=1)
    with pytest.raises(PolicyError, match="expired after 7 days"):
        ledger.record(approval, at=late)
    assert ledger.releases.production().number == 0
    assert ledger.releases.approvals(1) == ()


def test_a_candidate_that_nobody_reviewed_in_time_cannot_be_approved(ledger: Ledger) -> None:
    release = ledger.candidate("atlas")
    late = release.created + timedelta(days=8)
    with pytest.raises(PolicyError, match=r"measured 8\.0 days ago.*`sealed update`"):
        ledger.approve(1, actor="ada", at=late)
    given_late = replace(ledger.approve(1, actor="ada"), at=late)
    with pytest.raises(PolicyError, match="nobody approves them any more"):
        ledger.record(given_late, at=late)
    assert ledger.releases.production().number == 0


def test_such_a_candidate_expires_and_its_documents_are_learned_again(ledger: Ledger) -> None:
    release = ledger.candidate("atlas")
    assert ledger.deployments.expire(approval_days=7.0) == ()
    (move,) = ledger.deployments.expire(approval_days=7.0, at=release.created + timedelta(days=8))
    assert states(ledger) == {0: ReleaseState.PRODUCTION, 1: ReleaseState.VOID}
    record = ledger.documents.get(document("atlas").id)
    assert (record.state, record.attempts) == (DocumentState.QUEUED, 0)
    assert ledger.runs.get(1).state is RunState.ABANDONED
    assert ledger.releases.get(1).reason == move.reason
    assert ledger.deployments.expire(approval_days=7.0) == ()
    ledger.promote(ledger.candidate().number)
    assert state_of(ledger, "atlas") is DocumentState.LEARNED


def test_an_approval_holds_for_one_manifest_only(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    other = replace(ledger.approve(1, actor="ada"), manifest="f" * 64)
    with pytest.raises(PolicyError, match="another adapter"):
        ledger.record(other)


def test_a_candidate_whose_adapter_is_damaged_is_not_promoted(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    with pytest.raises(CorruptAdapter):
        ledger.record(ledger.approve(1, actor="ada"), verify=corrupt)
    assert states(ledger)[1] is ReleaseState.CANDIDATE


def test_a_release_that_does_not_exist(ledger: Ledger) -> None:
    with pytest.raises(NoSuchRelease, match="no release 9"):
        ledger.approve(9, actor="ada")


def test_the_second_candidate_of_the_same_parent_is_stale_once_the_first_is_live(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    ledger.candidate("borea")
    early = ledger.approve(2, actor="ada")
    ledger.promote(1)
    with pytest.raises(
        PolicyError, match="production moved from release 0 to 1 since it was gated: run the update again"
    ):
        ledger.record(early)
    assert states(ledger)[2] is ReleaseState.STALE
    record = ledger.documents.get(document("borea").id)
    assert (record.state, record.attempts) == (DocumentState.QUEUED, 0)
    assert ledger.runs.get(2).state is RunState.ABANDONED


def test_a_run_that_registers_while_production_moves_must_be_abandoned(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    ledger.documents.accept(intake("borea"))
    with ledger.session() as session:
        run = ledger.begin(session)
        session.candidates.intend(run.number, manifest_of(ledger.gate(session, run)))
        ledger.promote(1)
        with pytest.raises(PolicyError, match="production moved"):
            session.candidates.record(run.number, "2")
        session.runs.abandon(run.number, "production moved")
    assert states(ledger)[2] is ReleaseState.STALE
    assert state_of(ledger, "borea") is DocumentState.QUEUED


def test_a_run_that_was_gated_before_production_moved_gets_no_release(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    ledger.documents.accept(intake("borea"))
    with ledger.session() as session:
        run = ledger.begin(session)
        update = ledger.gate(session, run)
        ledger.promote(1)
        with pytest.raises(PolicyError, match="run the update again"):
            session.candidates.intend(run.number, manifest_of(update))


def test_a_rejection_keeps_the_reason_with_release_run_and_documents(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    with pytest.raises(PolicyError, match="needs a reason"):
        ledger.reject(1, actor="ada", reason="")
    ledger.reject(1, actor="ada", reason="names a customer")
    words = "rejected by ada: names a customer"
    assert ledger.releases.get(1).reason == words
    assert (state_of(ledger, "atlas"), ledger.documents.get(document("atlas").id).reason) == (
        DocumentState.QUARANTINED,
        words,
    )
    assert ledger.runs.get(1).state is RunState.REJECTED_BY_REVIEWER
    with pytest.raises(PolicyError, match="not a candidate"):
        ledger.approve(1, actor="ada")
    assert not ledger.releases.approvals(1)[0].approved


def test_a_rejected_document_may_be_tried_again_as_a_new_release(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    ledger.reject(1, actor="ada", reason="not now")
    ledger.documents.requeue([document("atlas").id])
    again = ledger.candidate()
    assert (again.number, again.id) == (2, ledger.releases.get(1).id)
    ledger.promote(2)
    assert state_of(ledger, "atlas") is DocumentState.LEARNED


def test_a_rollback_reverts_documents_and_the_release_does_not_return(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    deployment = ledger.rollback()
    assert (deployment.epoch, deployment.release, deployment.reason) == (3, 1, "it answers badly")
    assert states(ledger) == {
        0: ReleaseState.SUPERSEDED,
        1: ReleaseState.PRODUCTION,
        2: ReleaseState.ROLLED_BACK,
    }
    assert (state_of(ledger, "atlas"), state_of(ledger, "borea")) == (DocumentState.LEARNED, DocumentState.REVERTED)
    with pytest.raises(PolicyError, match="rolled back"):
        ledger.approve(2, actor="ada")
    with pytest.raises(PolicyError, match="rolled back"):
        ledger.rollback(2)
    ledger.documents.requeue([document("borea").id])
    assert ledger.release().number == 3


def test_a_rollback_to_the_untouched_base_and_not_beyond(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    waiting = ledger.candidate("cinder")
    assert ledger.rollback(0).release == 0
    assert states(ledger)[waiting.number] is ReleaseState.STALE
    assert state_of(ledger, "atlas") is DocumentState.REVERTED
    assert state_of(ledger, "cinder") is DocumentState.QUEUED
    with pytest.raises(PolicyError, match="nothing to roll back"):
        ledger.rollback()
    with pytest.raises(NoSuchRelease, match="there is no release 9"):
        ledger.rollback(9)


def test_a_rollback_needs_a_reason_and_a_sound_adapter(ledger: Ledger) -> None:
    ledger.release("atlas")
    with pytest.raises(PolicyError, match="a name and a reason"):
        ledger.rollback(reason=" ")
    with pytest.raises(CorruptAdapter):
        ledger.rollback(verify=corrupt)
    assert ledger.releases.production().number == 1


def test_a_rollback_given_twice_falls_once(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    done = ledger.rollback()
    assert ledger.deployments.rolled_back_to(1) == done
    assert ledger.deployments.rolled_back_to(0) is None
    with pytest.raises(PolicyError, match="`sealed rollback --to 0` goes further"):
        ledger.rollback()
    assert ledger.deployments.listed()[-1] == done
    assert ledger.rollback(0).release == 0
    ledger.release("cinder")
    assert ledger.deployments.rolled_back_to(3) is None
    with pytest.raises(PolicyError, match="production already"):
        ledger.rollback(3)
    assert ledger.rollback().release == 0


def test_rollback_wins_over_a_running_promotion(ledger: Ledger) -> None:
    """The promotion is held in its verification while the rollback goes through: then the epoch is another one."""
    ledger.release("atlas")
    ledger.candidate("borea")
    verifying, rolled_back = threading.Event(), threading.Event()

    def slowly(release: Release) -> AdapterManifest | None:
        verifying.set()
        assert rolled_back.wait(60)
        return ledger.manifest(release)

    with ThreadPoolExecutor(1) as pool:
        approval = ledger.approve(2, actor="ada")
        running = pool.submit(ledger.record, approval, verify=slowly)
        assert verifying.wait(60)
        ledger.rollback()
        rolled_back.set()
        with pytest.raises(PolicyError, match="production was rolled back from release 1 to 0"):
            running.result(60)
    assert ledger.releases.production().number == 0
    assert [one.release for one in ledger.deployments.listed()] == [0, 1, 0]


def test_of_many_moves_at_once_one_promotion_wins_at_most_and_the_rollback_always(ledger: Ledger) -> None:
    """All look at the same moment. Who looks again, because production moved meanwhile, waits for nobody."""
    ledger.release("atlas")
    ledger.candidate("borea")
    approval = ledger.approve(2, actor="ada")
    together, met = threading.Barrier(4), threading.local()

    def meet(release: Release) -> AdapterManifest | None:
        if not getattr(met, "once", False):
            met.once = True
            together.wait(60)
        return ledger.manifest(release)

    def promote() -> Deployment | None:
        return ledger.record(approval, verify=meet)

    def roll_back() -> Deployment:
        return ledger.rollback(verify=meet)

    moves: list[Callable[[], Deployment | None]] = [promote, roll_back, promote, roll_back]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(move) for move in moves]
        failed = [one.exception(60) for one in running]
    promoted, rolled_back = ([failed[at] is None for at in places].count(True) for places in ((0, 2), (1, 3)))
    assert {type(error) for error in failed if error is not None} == {PolicyError}
    assert (promoted <= 1, rolled_back) == (True, 1)
    history = ledger.deployments.listed()
    assert [one.epoch for one in history] == list(range(2 + promoted + rolled_back))
    assert ledger.releases.production().number == 0


def test_a_rollback_that_a_promotion_overtakes_puts_back_what_it_chose(ledger: Ledger) -> None:
    """The rollback of release 1 is held while release 2 is promoted: both are rolled back, to what was before 1."""
    ledger.release("atlas")
    ledger.candidate("borea")
    approval = ledger.approve(2, actor="ada")
    verifying, promoted = threading.Event(), threading.Event()

    def slowly(release: Release) -> AdapterManifest | None:
        verifying.set()
        assert promoted.wait(60)
        return ledger.manifest(release)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ledger.rollback, verify=slowly)
        assert verifying.wait(60)
        ledger.record(approval)
        promoted.set()
        assert running.result(60).release == 0
    assert [one.release for one in ledger.deployments.listed()] == [0, 1, 2, 0]
