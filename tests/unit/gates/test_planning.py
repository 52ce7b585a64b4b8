"""What the gates can see with the suites there are, and the policies by which nothing can pass."""

import pytest

from gates.evidence import ReleaseEvalSet
from gates.planning import GatePlan, Wish, impossible, plan, too_small
from gates.suite import Kind, Suites, eval_item_suite
from pipeline.recipe import AcquisitionPolicy, PolicyRules, RetentionPolicy, SafetyPolicy
from pipeline.types import Figure, GateReport, GateResult, ModelRef, Verdict
from tests.unit.gates.conftest import eval_items

REF = ModelRef(base="b" * 64)


def suites(retention: int = 400, safety: int = 200, per_group: int = 1) -> Suites:
    return Suites(
        retention=(eval_item_suite("retention/known", eval_items("known", retention, per_group)),),
        safety=(eval_item_suite("safety/refusals", eval_items("refused", safety, per_group), Kind.REFUSALS),),
    )


def of(gate: str, found: tuple[GatePlan, ...]) -> GatePlan:
    return next(one for one in found if one.gate == gate)


def report(**figures: float) -> GateReport:
    named = tuple(Figure(name=name, value=value) for name, value in figures.items())
    result = GateResult(gate="retention", verdict=Verdict.PASS, sentence="", figures=named)
    return GateReport(update="u", candidate=REF, production=REF, policy="p", results=(result,))


def test_enough_items_see_a_loss_smaller_than_the_margin() -> None:
    found = of("retention", plan(suites(), PolicyRules()).not_worse)
    assert (found.items, found.margin, found.enough) == (400, 0.05, True)
    assert found.seen is not None
    assert 0.03 < found.seen < 0.05
    assert found.holds is not None
    assert found.holds < 0.05


def test_items_of_one_group_count_as_one() -> None:
    alone, grouped = (of("retention", plan(suites(per_group=size), PolicyRules()).not_worse) for size in (1, 4))
    assert (alone.items, alone.groups, grouped.items, grouped.groups) == (400, 400, 400, 100)
    assert not grouped.enough
    assert alone.holds is not None
    assert grouped.holds is not None
    assert grouped.holds == pytest.approx(2 * alone.holds, abs=0.01)


def test_questions_of_earlier_releases_count_for_retention() -> None:
    earlier = [ReleaseEvalSet(release=1, eval_items=eval_items("earlier", 50, 1))]
    assert of("retention", plan(suites(), PolicyRules(), earlier).not_worse).items == 450


def test_how_many_answers_change_is_what_the_last_report_measured() -> None:
    last = report(items=400, changed=0.1)
    found = of("retention", plan(suites(), PolicyRules(), last=last).not_worse)
    assert (found.changed, found.measured, found.enough) == (0.1, True, True)
    assumed = of("safety", plan(suites(), PolicyRules(), last=last).not_worse)
    assert (assumed.changed, assumed.measured) == (0.05, False)


def test_a_wished_margin_says_how_many_items_it_needs() -> None:
    found = of("retention", plan(suites(), PolicyRules(), wish=Wish(margin=0.02, changed=0.1)).not_worse)
    assert (found.margin, found.needed, found.enough) == (0.02, 2141, False)


def test_a_suite_that_is_missing_sees_nothing() -> None:
    found = of("regression", plan(suites(), PolicyRules()).not_worse)
    assert (found.items, found.seen, found.holds, found.enough) == (0, None, None, False)


def test_gates_with_too_few_items_are_named_and_so_is_what_is_assumed_of_them() -> None:
    assumed = plan(suites(retention=400), PolicyRules(), wish=Wish(margin=0.02))
    assert assumed.too_few.startswith("Too few items: retention, regression, safety.")
    assert assumed.too_few.endswith("Assumed, until a run measures it: how many answers change of retention, safety.")
    few = plan(suites(retention=300), PolicyRules(), wish=Wish(margin=0.02))
    assert few.too_few.endswith("how many answers change of safety.")


def test_more_items_asked_for_than_there_are_is_impossible() -> None:
    found = impossible(suites(retention=300), PolicyRules())
    assert found is not None
    assert found.place == "policy.retention.min_items"
    assert "350 items are asked for, and suites/retention holds 300" in found.sentence


def test_a_margin_that_no_answer_could_show_is_impossible() -> None:
    policy = PolicyRules(retention=RetentionPolicy(min_items=20, margin=0.05))
    found = impossible(suites(retention=40), policy)
    assert found is not None
    assert found.place == "policy.retention.margin"


@pytest.mark.parametrize(("documents", "questions", "of"), [(9, 1, "documents"), (8, 33, "items")])
def test_more_asked_of_a_run_than_it_takes_is_too_small(documents: int, questions: int, of: str) -> None:
    policy = PolicyRules(
        acquisition=AcquisitionPolicy(min_documents=documents, min_items=questions, max_per_document=4)
    )
    found = too_small(8, policy)
    assert found is not None
    assert found.place == f"policy.acquisition.min_{of}"
    assert "a run takes 8 (documents.per_run)" in found.sentence
    assert too_small(9, policy) is None
    assert too_small(1, policy.model_copy(update={"required": ("integrity",)})) is None


def test_what_does_not_decide_or_is_not_there_is_not_impossible() -> None:
    assert impossible(suites(), PolicyRules()) is None
    lenient = PolicyRules(required=("retention",), safety=SafetyPolicy(min_items=1000))
    assert impossible(suites(), lenient) is None


def test_the_least_is_of_items_and_what_a_margin_needs_is_of_groups() -> None:
    """385 items about 323 passages are enough for a rule that asks for 350 items, and whose margin needs 172."""
    found = of("retention", plan(suites(per_group=2), PolicyRules()).not_worse)
    assert (found.items, found.groups, found.least, found.needed, found.enough) == (400, 200, 350, 172, True)
