"""What people decided in MLflow takes effect once, or never, whatever happened between their decision and its use."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from flows.run_context import RunContext
from flows.services import adoption
from flows.services.status import overview
from flows.steps import ingestion
from flows.wiring import Workspace
from pipeline.errors import ConstraintBroken, CorruptAdapter, DatabaseFailed
from pipeline.recipe import Recipe
from pipeline.types import Identity, Release, ReleaseState, ReviewKind, ReviewOutcome
from registry import KeyRing, ReviewRules
from registry.store.database import now
from registry.store.review_decisions import ReviewDecisions
from tests.decisions import adopting, decide_by, decided, only, unused
from tests.ledgers import Ledger


@pytest.fixture
def workspace(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    return adopting(ledger, tmp_path, monkeypatch)


def test_an_approval_makes_the_release_production_once(ledger: Ledger, workspace: Workspace) -> None:
    decision = decided(ledger, ledger.candidate("atlas"))
    assert unused(ledger) == (decision,)
    outcome = only(adoption.adopt(workspace))
    assert (outcome.decision, outcome.adopted, outcome.sentence) == (decision.number, True, "release 1 is approved.")
    (approval,) = ledger.releases.approvals(1)
    assert (approval.actor, approval.note, approval.at) == ("ada", "approved", decision.at)
    assert approval.identity is Identity.SIGNED_IN
    assert ledger.releases.production().number == 1
    assert unused(ledger) == ()
    assert ledger.review_decisions.concluded() == ((decision, outcome),)
    assert adoption.adopt(workspace) == adoption.Adopted()


def test_status_names_what_was_decided_in_mlflow_until_it_is_judged(ledger: Ledger, workspace: Workspace) -> None:
    decided(ledger, ledger.candidate("atlas"))
    assert overview(workspace).asked == "approve of release 1 by ada: `sealed reconcile` judges it"
    adoption.adopt(workspace)
    assert overview(workspace).asked == ""


def test_a_rejection_and_a_rollback_are_adopted_in_order(ledger: Ledger, workspace: Workspace) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    waiting = ledger.candidate("cinder")
    decided(ledger, waiting, ReviewKind.REJECT, "grace")
    decided(ledger, ledger.releases.get(1), ReviewKind.ROLLBACK, "linus")
    assert [outcome.adopted for outcome in adoption.adopt(workspace).outcomes] == [True, True]
    assert ledger.releases.get(3).reason == "rejected by grace: it answers badly"
    newest = ledger.deployments.listed()[-1]
    assert (newest.release, newest.actor, newest.reason) == (1, "linus", "it answers badly")


def test_only_the_first_of_two_decisions_on_a_release_counts(ledger: Ledger, workspace: Workspace) -> None:
    waiting = ledger.candidate("atlas")
    decided(ledger, waiting, who="ada")
    decided(ledger, waiting, ReviewKind.REJECT, who="grace")
    assert [outcome.adopted for outcome in adoption.adopt(workspace).outcomes] == [True, False]
    assert ledger.releases.production().number == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"manifest": "another"}, "ada decided over another adapter than release 1 holds now"),
        ({"at": now() - timedelta(days=8)}, "expired after 7 days"),
        ({"who": "Sealed"}, "sealed proposed release 1"),
    ],
)
def test_a_decision_that_a_rule_is_against_is_used_up_and_changes_nothing(
    ledger: Ledger, workspace: Workspace, changed: dict[str, object], said: str
) -> None:
    decided(ledger, ledger.candidate("atlas"), **changed)
    refused = only(adoption.adopt(workspace))
    assert not refused.adopted
    assert said in refused.sentence
    assert ledger.releases.get(1).state is ReleaseState.CANDIDATE
    assert adoption.adopt(workspace) == adoption.Adopted()


def test_a_decision_is_void_once_production_moved(ledger: Ledger, workspace: Workspace) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    decided(ledger, ledger.releases.get(1), ReviewKind.ROLLBACK, "linus", epoch=1)
    assert "production moved (epoch 1 to 2) since linus decided" in only(adoption.adopt(workspace)).sentence
    assert ledger.releases.production().number == 2


def test_a_damaged_adapter_uses_the_approval_up(
    ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(release: Release) -> None:
        raise CorruptAdapter("a byte changed. Put the file back.")

    decided(ledger, ledger.candidate("atlas"))
    with monkeypatch.context() as patch:
        decide_by(patch, replace(ledger.context, verify=damaged))
        assert only(adoption.adopt(workspace)).sentence == "a byte changed. Put the file back."
    assert adoption.adopt(workspace) == adoption.Adopted()
    assert ledger.releases.production().number == 0


def test_a_recipe_that_cannot_be_read_holds_up_the_approval_and_no_rollback_behind_it(
    ledger: Ledger, workspace: Workspace
) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    waiting = ledger.candidate("cinder")
    workspace.settings.recipe_file.write_text("[documents\n", encoding="utf-8")
    approval = decided(ledger, waiting)
    rollback = decided(ledger, ledger.releases.get(1), ReviewKind.ROLLBACK, "linus")
    adopted = adoption.adopt(workspace)
    assert [(one.decision, one.adopted) for one in adopted.outcomes] == [(rollback.number, True)]
    assert ledger.releases.production().number == 1
    assert "what ada decided about release 3 waits: " in adopted.waiting[0]
    assert "recipe.toml" in adopted.waiting[0]
    assert unused(ledger) == (approval,)


def test_an_approval_is_adopted_once_the_recipe_can_be_read_again(ledger: Ledger, workspace: Workspace) -> None:
    workspace.settings.recipe_file.write_text("[documents\n", encoding="utf-8")
    decided(ledger, ledger.candidate("atlas"))
    (sentence,) = adoption.reconcile(workspace).sentences
    assert sentence.startswith("failed, and tried again next time: what ada decided about release 1 waits")
    workspace.settings.recipe_file.write_text("", encoding="utf-8")
    assert only(adoption.adopt(workspace)).adopted
    assert ledger.releases.production().number == 1


def test_a_decision_that_took_effect_before_a_kill_is_adopted_and_not_refused(
    ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    def adopt_killed_and_again() -> ReviewOutcome:
        with monkeypatch.context() as patch:
            patch.setattr(ReviewDecisions, "conclude", killed)
            with pytest.raises(KeyboardInterrupt):
                adoption.adopt(workspace)
        return only(adoption.adopt(workspace))

    decided(ledger, ledger.candidate("atlas"))
    assert adopt_killed_and_again().adopted
    ledger.release("borea")
    decided(ledger, ledger.releases.get(1), ReviewKind.ROLLBACK, "linus")
    assert adopt_killed_and_again().adopted
    decided(ledger, ledger.candidate("cinder"), ReviewKind.REJECT)
    assert adopt_killed_and_again().adopted
    assert [one.release for one in ledger.deployments.listed()] == [0, 1, 2, 1]


def test_a_ledger_that_fails_leaves_the_decision_for_the_next_time(
    ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise DatabaseFailed("the ledger failed. Try again.")

    decided(ledger, ledger.candidate("atlas"))
    with monkeypatch.context() as patch:
        patch.setattr(type(ledger.deployments), "promote", failing)
        with pytest.raises(DatabaseFailed):
            adoption.adopt(workspace)
    assert only(adoption.adopt(workspace)).adopted


def test_without_a_key_to_sign_with_decisions_are_left_for_whoever_holds_one(
    ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = decided(ledger, ledger.candidate("atlas"))
    with monkeypatch.context() as patch:
        decide_by(patch, replace(ledger.context, keys=KeyRing(trusted=ledger.context.keys.trusted)))
        assert adoption.adopt(workspace) == adoption.Adopted()
    assert unused(ledger) == (decision,)
    assert ledger.releases.production().number == 0
    assert only(adoption.adopt(workspace)).adopted
    assert ledger.releases.production().number == 1


def test_an_approval_where_two_people_must_approve_says_what_is_missing(
    ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_by(monkeypatch, replace(ledger.context, rules=ReviewRules(approvers=2, signed_in=True)))
    waiting = ledger.candidate("atlas")
    decided(ledger, waiting, who="ada")
    first = only(adoption.adopt(workspace))
    assert first.adopted
    assert first.sentence.startswith("release 1 needs 2 approvals by different people, and has those of ada: another")
    assert ledger.releases.get(1).state is ReleaseState.CANDIDATE
    decided(ledger, waiting, who="Ada")
    again = only(adoption.adopt(workspace))
    assert not again.adopted
    assert "ada approved release 1 already" in again.sentence
    decided(ledger, waiting, who="grace")
    assert only(adoption.adopt(workspace)).sentence == "release 1 is approved."
    assert ledger.releases.production().number == 1


def test_a_second_process_adds_no_second_outcome(ledger: Ledger, workspace: Workspace) -> None:
    decided(ledger, ledger.candidate("atlas"))
    outcome = only(adoption.adopt(workspace))
    assert not ledger.review_decisions.conclude(replace(outcome, adopted=False))
    assert ledger.review_decisions.concluded()[0][1] == outcome


@pytest.mark.parametrize("table", ["review_decisions", "review_outcomes"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET at = at"])
def test_decisions_and_outcomes_are_only_ever_added(
    ledger: Ledger, workspace: Workspace, table: str, statement: str
) -> None:
    decided(ledger, ledger.candidate("atlas"))
    adoption.adopt(workspace)
    with pytest.raises(ConstraintBroken, match="append-only"), ledger.database.write() as connection:
        connection.execute(text(statement.format(table)))


def test_a_run_begins_by_adopting_what_was_decided(ledger: Ledger, workspace: Workspace) -> None:
    decided(ledger, ledger.candidate("atlas"))
    with ledger.session() as session:
        ingestion.reconcile(RunContext(workspace, session, Recipe()))
    assert ledger.releases.production().number == 1
