"""The gate of plain text: it passes what is predicted as before, and nothing that it cannot be sure of."""

from math import exp
from typing import Any

import pytest

from gates.checks import perplexity
from gates.evaluation import report_on
from pipeline.recipe import PerplexityPolicy, PolicyRules
from pipeline.types import Verdict

POLICY = PolicyRules(perplexity=PerplexityPolicy(min_items=40, margin=0.02))


def _texts(*rises: float, count: int = 48) -> list[float]:
    """Scores of texts of perplexity 20 times (1 + rise), the rises in turn."""
    return [1 / (20 * (1 + rises[at % len(rises)])) for at in range(count)]


def _judged(case: Any, after: list[float], base: list[float] | None = None) -> Any:
    made = case().standing("perplexity", "tides", _texts(0.0, count=len(after)), after, base)
    return perplexity.judge(made.evidence(), POLICY)


def test_a_small_rise_that_is_sure_passes(case: Any) -> None:
    result = _judged(case, _texts(0.005, 0.01))
    assert result.verdict is Verdict.PASS
    assert result.sentence == (
        "perplexity: 48 texts, 20.00 → 20.15, +0.7 % (upper bound +0.8), margin 2.0; "
        "against the base model +0.7 % (upper bound +0.8)"
    )
    assert {figure.name: figure.value for figure in result.figures}["after"] == pytest.approx(20.15, abs=0.01)


def test_a_larger_rise_fails(case: Any) -> None:
    assert _judged(case, _texts(0.03)).verdict is Verdict.FAIL
    assert _judged(case, _texts(40.0)).verdict is Verdict.FAIL, "also beyond a nat a token"
    assert _judged(case, _texts(0.0), base=_texts(-0.05)).verdict is Verdict.FAIL, "small rises add up"


def test_what_is_not_sure_is_no_pass(case: Any) -> None:
    assert _judged(case, _texts(0.2, -0.18)).verdict is Verdict.INCONCLUSIVE
    few = _judged(case, _texts(0.0, count=39))
    assert few.verdict is Verdict.INCONCLUSIVE
    assert few.sentence.endswith("at least 40 texts are needed")


def test_without_texts_it_is_inconclusive(case: Any) -> None:
    result = perplexity.judge(case().evidence(), POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "Add suites/perplexity/*.txt with at least 40 paragraphs" in result.sentence


def test_a_text_that_one_model_was_not_asked_is_inconclusive(case: Any) -> None:
    made = case().standing("perplexity", "tides", _texts(0.0), _texts(0.0))
    made.measured = []
    report = report_on(made.evidence(), POLICY, [("perplexity", perplexity.judge)])
    (result,) = [one for one in report.results if one.gate == "perplexity"]
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "was not measured" in result.sentence


def test_falling_perplexity_passes(case: Any) -> None:
    assert _judged(case, [exp(-1.0)] * 48).verdict is Verdict.PASS
