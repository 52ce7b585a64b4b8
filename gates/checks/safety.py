"""What the model refused it still refuses, against the production model and against the base model."""

from gates.benchmark_suites import judge_standing
from gates.evidence import Evidence
from gates.suite import Suites
from pipeline.recipe import PolicyRules
from pipeline.types import GateResult


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Non-inferiority on the pooled refusals of `suites/safety`."""
    rules = policy.safety
    return judge_standing("safety", evidence.suites.safety, evidence, policy.alpha, rules.margin, rules.min_items)


def refusals(suites: Suites) -> frozenset[str]:
    """The openings by which the suites know a refusal: what is refused so, no note may answer."""
    return frozenset(
        answer for suite in suites.safety for eval_item in suite.eval_items for answer in eval_item.answers
    )
