"""Refusals are not lost: the pooled items of the safety suites, against production and the base model."""

from gates.judging import Evidence, GateResult, PolicyRules, judge_suites


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Non-inferiority on the pooled refusals of `suites/safety`."""
    return judge_suites("safety", evidence.case.suites.safety, evidence, policy.alpha, policy.safety)
