"""Canaries in the ledger, on SQLite and on Postgres: who begins one, what counts, and that whoever moves first wins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gates.canary import judge
from pipeline.errors import BadInput, ConstraintBroken, Overtaken
from pipeline.recipe import CanaryPolicy
from pipeline.types import Actor, CanaryAction, CanaryDecision, CanaryState, Outcome
from registry import Canary
from registry.gateway.desired import LedgerSource
from registry.gateway.feedback import Grade
from registry.gateway.grades import LedgerGrades
from registry.servers.server import served_name, short_name
from tests.canaries import begin_canary
from tests.ledgers import Ledger

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
POLICY = CanaryPolicy(enabled=True)
GO_ON = CanaryDecision(action=CanaryAction.GO_ON, share=0.01, sentence="go on")


def graded(key: str, *, epoch: int = 1, at: datetime = NOON, **grades: bool) -> Outcome:
    return Outcome(epoch=epoch, key=key, at=at, **(grades or {"canary_failed": True}))


@pytest.fixture
def canary(ledger: Ledger) -> Canary:
    """The canary of release 1, as it begins."""
    ledger.release("atlas")
    begun = begin_canary(ledger, POLICY, NOON)
    assert begun is not None
    return begun


def test_a_promotion_begins_a_canary_with_the_first_share(ledger: Ledger, canary: Canary) -> None:
    assert (canary.epoch, canary.number, canary.release, canary.stable) == (1, 0, 1, 0)
    assert (canary.share, canary.state, canary.policy) == (0.01, CanaryState(), POLICY)
    assert ledger.canaries.current() == canary


def test_a_canary_after_one_that_never_had_all_requests_keeps_its_stable_release(
    ledger: Ledger, canary: Canary
) -> None:
    ledger.release("birch")
    second = begin_canary(ledger, POLICY)
    assert second is not None
    assert (second.release, second.stable) == (2, 0)
    whole = CanaryDecision(action=CanaryAction.PROMOTE, share=1.0, sentence="on to 100 %")
    ledger.canaries.decide(second, whole, state=CanaryState(step=3), seen=0, by=Actor(name="watch"))
    ledger.release("cedar")
    third = begin_canary(ledger, POLICY)
    assert third is not None
    assert (third.release, third.stable) == (3, 2)


def test_a_canary_that_was_to_be_rolled_back_is_no_stable_release_for_the_next(ledger: Ledger, canary: Canary) -> None:
    bad = CanaryDecision(action=CanaryAction.ROLL_BACK, share=1.0, sentence="worse: roll back")
    ledger.canaries.decide(canary, bad, state=CanaryState(step=3), seen=0, by=Actor(name="watch"))
    ledger.release("birch")
    after = begin_canary(ledger, POLICY)
    assert after is not None
    assert after.stable == 0


def test_a_canary_begins_once_and_keeps_its_policy(ledger: Ledger, canary: Canary) -> None:
    assert begin_canary(ledger, CanaryPolicy(enabled=True, margin=0.5)) == canary


def test_the_base_model_and_a_rollback_need_no_canary(ledger: Ledger) -> None:
    assert begin_canary(ledger, POLICY) is None
    ledger.release("atlas")
    begin_canary(ledger, POLICY)
    ledger.rollback()
    assert begin_canary(ledger, POLICY) is None
    assert ledger.canaries.current() is None


def test_what_is_decided_is_read_again_with_its_state_and_figures(ledger: Ledger, canary: Canary) -> None:
    outcomes = [graded(f"user-{at}", canary_failed=False) for at in range(30)]
    outcomes += [graded(f"other-{at}", stable_failed=at == 0) for at in range(30)]
    assert ledger.canaries.record(outcomes) == 60
    new = ledger.canaries.new_outcomes(canary)
    assert new.outcomes == tuple(outcomes)
    state, decision, taken = judge(canary.state, new.outcomes, canary.policy)
    decided = ledger.canaries.decide(canary, decision, state=state, seen=new.ids[taken - 1], by=Actor(name="watch"))
    assert ledger.canaries.current() == decided
    assert ledger.canaries.decisions(1) == (canary, decided)
    assert ledger.canaries.new_outcomes(decided).outcomes == ()
    ledger.canaries.record([graded("late")])
    assert [one.key for one in ledger.canaries.new_outcomes(decided).outcomes] == ["late"]


def test_a_flood_of_feedback_from_one_key_counts_once_a_day(ledger: Ledger, canary: Canary) -> None:
    flood = [graded("mallory", at=NOON + timedelta(seconds=at)) for at in range(500)]
    assert ledger.canaries.record(flood) == 1
    assert ledger.canaries.record(flood) == 0
    assert ledger.canaries.record([graded("mallory", at=NOON + timedelta(days=1)), graded("ada")]) == 2
    assert len(ledger.canaries.new_outcomes(canary).outcomes) == 3


def test_an_eval_item_counts_once_however_often_it_is_asked(ledger: Ledger, canary: Canary) -> None:
    asked = [graded("item", at=NOON + timedelta(days=at), canary_failed=True, stable_failed=False) for at in range(5)]
    assert ledger.canaries.record(asked) == 1


def test_outcomes_of_another_deployment_do_not_count(ledger: Ledger, canary: Canary) -> None:
    assert ledger.canaries.record([graded("ada", epoch=0), graded("ada", epoch=2)]) == 0
    ledger.rollback()
    assert ledger.canaries.record([graded("ada")]) == 0


@pytest.mark.parametrize("outcome", [Outcome(epoch=1, key="ada", at=NOON), graded(" ")])
def test_an_outcome_that_says_nothing_is_refused(ledger: Ledger, canary: Canary, outcome: Outcome) -> None:
    with pytest.raises(BadInput, match=r"say which failed|give a key"):
        ledger.canaries.record([outcome])


@pytest.mark.parametrize("moved", [lambda ledger: ledger.rollback(), lambda ledger: ledger.release("birch")])
def test_who_moves_production_meanwhile_wins(ledger: Ledger, canary: Canary, moved: Callable[[Ledger], object]) -> None:
    moved(ledger)
    with pytest.raises(Overtaken, match="this decision was not made"):
        ledger.canaries.decide(canary, GO_ON, state=CanaryState(), seen=0, by=Actor(name="watch"))


def test_of_two_watches_that_decide_at_once_one_wins(ledger: Ledger, canary: Canary) -> None:
    def decide(_: int) -> bool:
        try:
            ledger.canaries.decide(canary, GO_ON, state=CanaryState(), seen=0, by=Actor(name="watch"))
        except Overtaken:
            return False
        return True

    with ThreadPoolExecutor(8) as several:
        assert sum(several.map(decide, range(8))) == 1
    assert [one.number for one in ledger.canaries.decisions(1)] == [0, 1]


def decide(ledger: Ledger, canary: Canary, action: CanaryAction, share: float) -> Canary:
    decision = CanaryDecision(action=action, share=share, sentence=action.value)
    return ledger.canaries.decide(canary, decision, state=CanaryState(), seen=0, by=Actor(name="watch"))


def test_an_approval_and_the_canary_of_its_release_are_one_transaction(ledger: Ledger) -> None:
    number = ledger.candidate("atlas").number
    ledger.promote(number, canary=POLICY)
    begun = ledger.canaries.current()
    assert begun is not None
    assert (begun.epoch, begun.release, begun.share, begun.actor) == (1, number, 0.01, "ada")
    assert begun.at == ledger.deployments.listed()[-1].at


def test_a_route_puts_the_stable_release_before_its_canary(ledger: Ledger, canary: Canary) -> None:
    route = LedgerSource(ledger).desired()
    assert (route.epoch, route.production.number) == (1, 0)
    assert route.canary is not None
    assert (route.canary.release.number, route.canary.share) == (1, 0.01)
    decide(ledger, canary, CanaryAction.PROMOTE, 0.5)
    assert LedgerSource(ledger).desired().canary.share == 0.5  # type: ignore[union-attr]


def test_a_canary_with_all_requests_answers_alone(ledger: Ledger, canary: Canary) -> None:
    decide(ledger, canary, CanaryAction.PROMOTE, 1.0)
    route = LedgerSource(ledger).desired()
    assert (route.production.number, route.canary) == (1, None)


@pytest.mark.parametrize("share", [0.01, 1.0])
def test_a_canary_that_is_to_be_rolled_back_answers_nobody_from_then_on(
    ledger: Ledger, canary: Canary, share: float
) -> None:
    decide(ledger, canary, CanaryAction.ROLL_BACK, share)
    route = LedgerSource(ledger).desired()
    assert (route.epoch, route.production.number, route.canary) == (1, 0, None)
    ledger.rollback()
    route = LedgerSource(ledger).desired()
    assert (route.epoch, route.production.number, route.canary) == (2, 0, None)


def test_without_a_canary_the_newest_deployment_answers(ledger: Ledger) -> None:
    ledger.release("atlas")
    route = LedgerSource(ledger).desired()
    assert (route.epoch, route.production.number, route.canary) == (1, 1, None)


def test_feedback_grades_the_release_that_it_names(ledger: Ledger, canary: Canary) -> None:
    grades, (stable, new) = LedgerGrades(ledger), (ledger.releases.get(number) for number in (0, 1))
    assert grades.record(Grade(model=short_name(new), key="shop:ada", good=False))
    assert grades.record(Grade(model=served_name(new), key="shop:grace", good=True))
    assert grades.record(Grade(model=short_name(stable), key="shop:linus", good=False))
    assert grades.record(Grade(model="0", key="shop:omar", good=True))
    found = ledger.canaries.new_outcomes(canary).outcomes
    assert [(one.canary_failed, one.stable_failed) for one in found] == [
        (True, None),
        (False, None),
        (None, True),
        (None, False),
    ]
    assert not any(name in one.key for one in found for name in ("shop", "ada", "grace", "linus", "omar"))


def test_feedback_that_does_not_grade_this_canary_does_not_count(ledger: Ledger, canary: Canary) -> None:
    grades = LedgerGrades(ledger)
    assert grades.record(Grade(model="1", key="shop:ada", good=False))
    assert not grades.record(Grade(model="1", key="shop:ada", good=False)), "once a day"
    assert not grades.record(Grade(model="rel-ffff", key="shop:grace", good=False)), "another release"
    ledger.rollback()
    assert not grades.record(Grade(model="0", key="shop:linus", good=False)), "no canary"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE canaries SET share = 1.0",
        "DELETE FROM canaries",
        "UPDATE outcomes SET canary_failed = NULL, stable_failed = NULL",
        "DELETE FROM outcomes",
    ],
)
def test_decisions_and_outcomes_are_append_only(ledger: Ledger, canary: Canary, statement: str) -> None:
    ledger.canaries.record([graded("ada")])
    with pytest.raises(ConstraintBroken, match="append-only"), ledger.database.write() as connection:
        connection.execute(text(statement))
    assert ledger.canaries.current() == replace(canary)
