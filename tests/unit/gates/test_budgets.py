"""A reviewer sees what all releases together have used of what may be lost since the base model."""

import pytest

from gates import budgets
from pipeline.types import Figure, GateReport, GateResult, ModelRef, Verdict


def result(gate: str, *, required: bool = True, **figures: float) -> GateResult:
    found = tuple(Figure(name=name, value=value) for name, value in figures.items())
    return GateResult(gate=gate, verdict=Verdict.PASS, sentence=f"{gate}: found", figures=found, required=required)


def report(*results: GateResult) -> GateReport:
    model = ModelRef(base="b")
    return GateReport(update="u", candidate=model, production=model, policy="p", results=results)


def retention(lost: float, at_most: float, run: float, *, required: bool = True) -> GateResult:
    figures = {"difference": -run, "base_difference": -lost, "base_lower_bound": -at_most, "base_budget": 0.05}
    return result("retention", required=required, **figures)


def perplexity(rise: float, bound: float, run: float) -> GateResult:
    return result("perplexity", rise=run, base_rise=rise, base_bound=bound, base_budget=0.1)


def test_the_most_used_budget_is_named_first_and_what_a_next_run_would_overspend() -> None:
    (sentence,) = budgets.sentences(report(retention(0.015, 0.031, 0.015), perplexity(0.076, 0.096, 0.076)))
    assert sentence == (
        "Used of what may be lost since the base model: perplexity 76 % (7.6 of 10.0 %), retention 30 % (1.5 of 5.0 "
        "points). What loses as much again as this model loses against production would not pass: perplexity."
    )


def test_a_gain_uses_nothing_and_leaves_room() -> None:
    (sentence,) = budgets.sentences(report(retention(-0.01, 0.01, -0.01)))
    assert sentence.endswith("retention 0 % (0.0 of 5.0 points).")


@pytest.mark.parametrize(("run", "holds"), [(0.019, True), (0.021, False)])
def test_a_next_run_is_held_against_the_bound_not_the_mean(run: float, holds: bool) -> None:
    (budget,) = budgets.budgets(report(retention(0.02, 0.03, run)))
    assert budget.outlasts_another is holds


def test_drift_is_told_in_nats() -> None:
    (sentence,) = budgets.sentences(
        report(result("drift", nats=0.01, base_nats=0.02, base_bound=0.03, base_budget=0.1))
    )
    assert sentence == "Used of what may be lost since the base model: drift 20 % (0.0200 of 0.1 nats a token)."


def test_of_retention_only_what_is_compared_with_the_base_uses_its_budget() -> None:
    pooled = {"difference": 0.0, "suites_difference": -0.025, "base_difference": -0.025, "base_lower_bound": -0.041}
    (budget,) = budgets.budgets(report(result("retention", **pooled, base_budget=0.05)))
    assert (budget.by_this_run, budget.outlasts_another) == (0.025, False)


def test_gates_that_inform_or_compare_with_no_base_have_no_budget() -> None:
    assert budgets.budgets(report(retention(0.01, 0.02, 0.01, required=False), result("acquisition", gain=0.2))) == ()


def test_of_a_refused_run_nothing_is_used() -> None:
    refused = GateResult(gate="acquisition", verdict=Verdict.FAIL, sentence="acquisition: no")
    assert budgets.sentences(report(refused, retention(0.01, 0.02, 0.01))) == []
