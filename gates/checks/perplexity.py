"""Plain text is predicted as before: the perplexity of `suites/perplexity`, against production and the base model."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, log

from gates.judging import (
    Against,
    Evidence,
    GateResult,
    Pair,
    PolicyRules,
    Verdict,
    counted,
    non_inferior,
    points,
    result,
    worst,
)
from gates.statistics import clustered_bounds


@dataclass(frozen=True, kw_only=True)
class _Rise:
    """Perplexities over all texts, which weigh alike, and the rise as a share, with one-sided bounds."""

    n: int
    before: float
    after: float
    mean: float
    lower: float
    upper: float

    def verdict(self, limit: float, minimum: int) -> Verdict:
        """`non_inferior`, of at least `minimum` texts: a rise is a loss."""
        return non_inferior((-self.upper, -self.mean, -self.lower), limit, enough=self.n >= minimum)

    def figures(self, prefix: str = "") -> dict[str, float]:
        named = {"texts": self.n, "before": self.before, "after": self.after, "rise": self.mean, "bound": self.upper}
        return {prefix + name: value for name, value in named.items()}


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS only if perplexity surely rose by no more than `margin`, over production's and the base model's."""
    rules, names = policy.perplexity, [suite.name for suite in evidence.case.suites.perplexity]
    if not names:
        wanted = f"at least {rules.min_items} paragraphs"
        return result("perplexity", Verdict.INCONCLUSIVE, f"nothing to read. Add suites/perplexity/*.txt with {wanted}")
    seed = evidence.seed("perplexity")
    production, base = (_rise(evidence.pooled(names, against), policy.alpha, seed) for against in Against)
    verdict = worst([one.verdict(rules.margin, rules.min_items) for one in (production, base)])
    sentence = (
        f"{counted(production.n, 'text')}, {production.before:.2f} → {production.after:.2f}, "
        f"{points(production.mean)} % (upper bound {points(production.upper)}), "
        f"margin {points(rules.margin, signed=False)}; "
        f"against the base model {points(base.mean)} % (upper bound {points(base.upper)})"
    )
    if production.n < rules.min_items:
        sentence += f"; at least {rules.min_items} texts are needed"
    figures = {**production.figures(), **base.figures("base_"), "base_budget": rules.margin}
    return result("perplexity", verdict, sentence, figures)


def _rise(pairs: Sequence[Pair], alpha: float, seed: int) -> _Rise:
    """Each pair's scores are the texts' predictabilities: one divided by the perplexity."""
    before, after = [-log(pair.before) for pair in pairs], [-log(pair.after) for pair in pairs]  # nats a token
    changes = [late - early for early, late in zip(before, after, strict=True)]
    most = max(1.0, *map(abs, changes))  # the bounds are of differences in [-1, 1]
    lower, upper = clustered_bounds([one / most for one in changes], [pair.group for pair in pairs], alpha, seed)
    n = len(pairs)
    return _Rise(
        n=n,
        before=exp(sum(before) / n),
        after=exp(sum(after) / n),
        mean=expm1(sum(changes) / n),
        lower=expm1(lower * most),
        upper=expm1(upper * most),
    )
