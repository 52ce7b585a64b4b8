"""What the Prefect UI shows of a canary."""

from datetime import UTC, datetime

import pytest

from flows.artifacts import canary_markdown
from pipeline.recipe import CanaryPolicy
from pipeline.types import CanaryAction, CanaryState, Figure
from registry import Canary

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def canary(step: int = 0, policy: CanaryPolicy | None = None, **figures: float) -> Canary:
    policy = policy or CanaryPolicy()
    return Canary(
        epoch=4,
        number=7,
        release=3,
        stable=2,
        action=CanaryAction.GO_ON,
        actor="sealed watch",
        share=policy.shares[step],
        sentence="canary at 1 %: go on",
        state=CanaryState(step=step),
        policy=policy,
        seen=0,
        at=NOON,
        figures=tuple(Figure(name=name, value=value) for name, value in figures.items()),
    )


@pytest.mark.parametrize(("e_worse", "full"), [(0.2, 0), (1.0, 0), (10.0, 10), (100.0, 20), (1e300, 20)])
def test_the_bar_of_evidence_is_full_where_the_alarm_is(e_worse: float, full: int) -> None:
    line = next(one for one in canary_markdown(canary(e_worse=e_worse)).splitlines() if "for worse" in one)
    assert (line.count("█"), line.count("░")) == (full, 20 - full)
    assert line.endswith("alarm at 100")


def test_a_page_says_the_decision_its_sentence_and_its_figures() -> None:
    page = canary_markdown(canary(canary_answers=12_345.0))
    assert "**go-on** release 3 (before it: 2)" in page
    assert "canary at 1 %: go on" in page
    assert "| canary answers | 12,345 |" in page
    assert "5 for a larger share" in page


@pytest.mark.parametrize(
    "whole", [canary(step=3), canary(policy=CanaryPolicy(shares=(1.0,), min_answers=(), risks=()))]
)
def test_with_all_requests_there_is_no_larger_share(whole: Canary) -> None:
    assert "a larger share" not in canary_markdown(whole)
