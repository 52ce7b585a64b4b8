"""From paired scores to a verdict: what a comparison is, when it is good enough, and how verdicts combine. All pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gates.evidence import Pair
from gates.statistics import clustered_bounds, items_needed, mcnemar, tango_lower, tango_upper
from pipeline.digests import digest_of
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, RunKind, Verdict

ALWAYS_REQUIRED = "integrity"
_LEAST_DISCORDANT = 0.02


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Paired scores in numbers: shares in [0, 1], counts of items that rose and fell, one-sided bounds.

    `lower` is the more careful of Tango's bound and the bound that knows that items share sources.
    """

    n: int
    groups: int
    before: float
    after: float
    gained: int
    lost: int
    lower: float
    upper: float
    p_gain: float
    p_loss: float

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def discordant(self) -> float:
        return (self.gained + self.lost) / self.n

    def figures(self, prefix: str = "") -> tuple[Figure, ...]:
        named = {
            "items": self.n,
            "groups": self.groups,
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
            "lower_bound": self.lower,
            "upper_bound": self.upper,
            "wrong_to_right": self.gained,
            "right_to_wrong": self.lost,
        }
        return tuple(Figure(name=prefix + name, value=float(value)) for name, value in named.items())


# The built-in gates that say nothing about such a run: nothing is new, withdrawn or practised in it.
LEFT_OUT = {
    RunKind.NIGHTLY: ("withdrawal", "writer_improvement"),
    RunKind.REBUILD: ("acquisition", "corrections", "writer_improvement"),
    RunKind.WRITER_TRAINING: ("acquisition", "corrections", "withdrawal"),
}


def policy_digest(policy: PolicyRules) -> str:
    """The policy's identity, recorded with every report."""
    return digest_of("policy", policy.model_dump(mode="json"))


def policy_of(policy: PolicyRules, kind: RunKind, *, withdrawn: bool) -> PolicyRules:
    """The policy for such a run: acquisition and corrections are asked of a nightly one alone, which learns anew.

    withdrawn: whether production knows a withdrawn document. Then the rebuild must have forgotten it. A practice must
    have made a better writer.
    """
    if kind is RunKind.NIGHTLY:
        return policy
    kept = [gate for gate in policy.required if not any(gate in left_out for left_out in LEFT_OUT.values())]
    own = {RunKind.REBUILD: ["withdrawal"] if withdrawn else [], RunKind.WRITER_TRAINING: ["writer_improvement"]}
    return policy.model_copy(update={"required": (*kept, *own[kind])})


def compare(pairs: Sequence[Pair], alpha: float, seed: int) -> Comparison:
    """Compares paired scores, right or wrong or anything between. Raises ValueError when there are none."""
    n = len(pairs)
    differences = [float(pair.difference) for pair in pairs]
    gained, lost = sum(1 for value in differences if value > 0), sum(1 for value in differences if value < 0)
    lower, upper = clustered_bounds(differences, [pair.group for pair in pairs], alpha, seed)
    binary = all(abs(value) in (0.0, 1.0) for value in differences)
    return Comparison(
        n=n,
        groups=len({pair.group or (pair.suite, pair.item) for pair in pairs}),
        before=sum(pair.before for pair in pairs) / n,
        after=sum(pair.after for pair in pairs) / n,
        gained=gained,
        lost=lost,
        lower=min(lower, tango_lower(gained, lost, n, alpha)) if binary else lower,
        upper=max(upper, tango_upper(gained, lost, n, alpha)) if binary else upper,
        p_gain=mcnemar(gained, lost),
        p_loss=mcnemar(lost, gained),
    )


def not_worse(comparison: Comparison, margin: float, minimum: int) -> Verdict:
    """Non-inferiority: PASS only when enough items put the lower bound above minus the margin.

    FAIL when the loss shows: surely some (upper bound below zero) or, with enough items, more than the margin.
    Everything else is too little data, and that is not a pass.
    """
    enough = comparison.n >= minimum
    if enough and comparison.lower >= -margin:
        return Verdict.PASS
    surely_lost = comparison.upper < 0 and comparison.lower < -margin
    return Verdict.FAIL if surely_lost or (enough and comparison.difference < -margin) else Verdict.INCONCLUSIVE


def needed(comparison: Comparison, margin: float, minimum: int, alpha: float) -> int | None:
    """Items that would settle the question at a power of 0.9, or None where the loss already exceeds the margin."""
    slack = margin + min(0.0, comparison.difference)
    if slack <= 0:
        return None
    discordant = max(comparison.discordant, _LEAST_DISCORDANT)
    return max(minimum, items_needed(discordant, slack, alpha))


def combine(results: Sequence[GateResult], policy: PolicyRules) -> tuple[GateResult, ...]:
    """Marks which results decide, and adds an INCONCLUSIVE one for every required gate that gave none."""
    required = dict.fromkeys((ALWAYS_REQUIRED, *policy.required))
    given = {result.gate for result in results}
    missing = [
        GateResult(gate=gate, verdict=Verdict.INCONCLUSIVE, sentence=f"{gate}: required by the policy, and did not run")
        for gate in required
        if gate not in given
    ]
    return tuple(replace(result, required=result.gate in required) for result in (*results, *missing))


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """FAIL before INCONCLUSIVE before PASS; of nothing, INCONCLUSIVE."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if set(verdicts) == {Verdict.PASS} else Verdict.INCONCLUSIVE
