"""General skills are not lost: the pooled items of all local lm-eval tasks, against production and the base model."""

from gates.judging import Evidence, GateResult, PolicyRules, judge_suites


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Non-inferiority on the pooled items of `suites/regression`; the figures name each task."""
    return judge_suites("regression", evidence.case.suites.regression, evidence, policy.alpha, policy.regression)
