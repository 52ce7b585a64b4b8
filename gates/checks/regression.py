"""General skills hold: the pooled items of all local lm-eval tasks, against the production model and the base model."""

from gates.benchmark_suites import judge_standing
from gates.evidence import Evidence
from pipeline.recipe import PolicyRules
from pipeline.types import GateResult


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Non-inferiority on the pooled items of `suites/regression`; the figures name each skill."""
    rules = policy.regression
    return judge_standing(
        "regression", evidence.suites.regression, evidence, policy.alpha, rules.margin, rules.min_items
    )
