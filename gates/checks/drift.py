"""Plain text is predicted by the same distributions: their divergence from production's and from the base model's.

It sees what perplexity does not: probabilities that moved between words of which none is the text's own.
"""

from collections.abc import Sequence

from gates.judging import (
    Against,
    Evidence,
    GateResult,
    PolicyRules,
    Verdict,
    counted,
    result,
    worst,
)
from gates.statistics import clustered_bounds

_Bounds = tuple[float, float, float]  # lower bound, mean and upper bound, in nats a token


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS only if the mean divergence is surely at most `margin`, from production and from the base model."""
    rules = policy.drift
    if not evidence.case.suites.perplexity:
        wanted = f"at least {rules.min_items} paragraphs"
        return result("drift", Verdict.INCONCLUSIVE, f"nothing to read. Add suites/perplexity/*.txt with {wanted}")
    found = {against: evidence.divergences(against) for against in Against}
    seed, n = evidence.seed("drift"), len(found[Against.BASE])
    production, base = (_bounds(nats, policy.alpha, seed) for nats in found.values())
    verdict = worst([_verdict(one, rules.margin, enough=n >= rules.min_items) for one in (production, base)])
    sentence = (
        f"{counted(n, 'text')}, {_worded(production)} from production, {_worded(base)} from the base model, "
        f"margin {rules.margin:g}"
    )
    if n < rules.min_items:
        sentence += f"; at least {rules.min_items} texts are needed"
    figures = {"texts": n, **_figures(production), **_figures(base, "base_"), "base_budget": rules.margin}
    return result("drift", verdict, sentence, figures)


def _bounds(nats: Sequence[float], alpha: float, seed: int) -> _Bounds:
    most = max(1.0, *nats)  # the bounds are of values in [-1, 1]
    lower, upper = clustered_bounds([one / most for one in nats], [""] * len(nats), alpha, seed)
    return lower * most, sum(nats) / len(nats), upper * most


def _verdict(bounds: _Bounds, margin: float, *, enough: bool) -> Verdict:
    """A divergence is never below zero, so only what lies beyond the margin is a loss."""
    lower, mean, upper = bounds
    if lower > margin or (enough and mean > margin):
        return Verdict.FAIL
    return Verdict.PASS if enough and upper <= margin else Verdict.INCONCLUSIVE


def _worded(bounds: _Bounds) -> str:
    return f"{bounds[1]:.4f} nats a token (upper bound {bounds[2]:.4f})"


def _figures(bounds: _Bounds, prefix: str = "") -> dict[str, float]:
    return {f"{prefix}nats": bounds[1], f"{prefix}bound": bounds[2]}
