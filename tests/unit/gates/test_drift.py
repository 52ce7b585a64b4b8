"""The gate of distributions: it passes what surely stays near, and fails what went far from either reference."""

from dataclasses import replace
from typing import Any

import pytest

from gates.checks import drift
from gates.evaluation import report_on
from gates.evidence import DRIFT, Evidence, Unmeasured
from pipeline.recipe import DriftPolicy, PolicyRules
from pipeline.types import ItemScore, ModelRef, Scores, Verdict

POLICY = PolicyRules(drift=DriftPolicy(min_items=40, margin=0.1))


def _evidence(case: Any, production: list[float], base: list[float]) -> Evidence:
    rights = [0.05] * len(base)
    made: Evidence = case().standing("perplexity", "tides", rights, rights).evidence()
    models = ((made.case.production.ref, production), (ModelRef(base=made.case.candidate.ref.base), base))
    scores = tuple(
        Scores(model=model, suite=DRIFT, items=tuple(ItemScore(item=str(at), score=one) for at, one in enumerate(nats)))
        for model, nats in models
    )
    return replace(made, drift=scores)


def _near(count: int = 48) -> list[float]:
    return [0.01 + 0.0005 * (at % 7) for at in range(count)]


def test_what_stays_near_passes_in_figures(case: Any) -> None:
    result = drift.judge(_evidence(case, _near(), _near()), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence.startswith("drift: 48 texts, 0.0115 nats a token (upper bound 0.01")
    assert result.sentence.endswith("from the base model, margin 0.1")


def test_the_same_model_does_not_diverge(case: Any) -> None:
    assert drift.judge(_evidence(case, [0.0] * 48, [0.0] * 48), POLICY).verdict is Verdict.PASS


@pytest.mark.parametrize("nats", [0.2, 40.0])
def test_what_went_far_from_either_fails(case: Any, nats: float) -> None:
    assert drift.judge(_evidence(case, [nats] * 48, _near()), POLICY).verdict is Verdict.FAIL
    assert drift.judge(_evidence(case, _near(), [nats] * 48), POLICY).verdict is Verdict.FAIL


def test_what_is_not_sure_is_no_pass_and_no_fail(case: Any) -> None:
    unsure = [0.0, 0.0, 0.25] * 16
    assert drift.judge(_evidence(case, unsure, unsure), POLICY).verdict is Verdict.INCONCLUSIVE
    few = drift.judge(_evidence(case, _near(12), _near(12)), POLICY)
    assert few.verdict is Verdict.INCONCLUSIVE
    assert few.sentence.endswith("at least 40 texts are needed")


def test_without_texts_or_without_measuring_it_is_inconclusive(case: Any) -> None:
    nothing = drift.judge(case().evidence(), POLICY)
    assert nothing.verdict is Verdict.INCONCLUSIVE
    assert "Add suites/perplexity/*.txt with at least 40 paragraphs" in nothing.sentence
    made = _evidence(case, _near(), _near())
    failed = replace(made, unmeasured=(Unmeasured(suite=DRIFT, reason="no memory."),))
    for one, reason in ((replace(made, drift=()), "were not compared"), (failed, "no memory.")):
        (found,) = [r for r in report_on(one, POLICY, [("drift", drift.judge)]).results if r.gate == "drift"]
        assert (found.verdict, reason in found.sentence) == (Verdict.INCONCLUSIVE, True)
