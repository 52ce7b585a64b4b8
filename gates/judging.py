"""What a gate judges with: the paired comparison, the rules that make it a verdict, and the words for both. All pure.

A gate's module imports all of it from here: the types of `judge(evidence, policy) -> GateResult`, the names of the
suites, the statistics and the words too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gates.evidence import (
    LOCALITY,
    RUN,
    TRIGGERS,
    WITHDRAWN,
    WRITER,
    Against,
    Case,
    Evidence,
    Pair,
    by_item,
    held_out_items,
)
from gates.statistics import (
    clustered_bounds,
    holm,
    items_needed,
    mcnemar,
    skewed_bounds,
    tango_lower,
    tango_upper,
    wilson,
)
from gates.suite import Suite
from gates.wording import counted, listed, p_value, percent, points
from pipeline.recipe import AcquisitionPolicy, PolicyRules, RegressionPolicy, SafetyPolicy, WriterImprovementPolicy
from pipeline.types import Figure, GateResult, RunKind, Verdict

__all__ = [
    "LOCALITY",
    "RUN",
    "TRIGGERS",
    "WITHDRAWN",
    "WRITER",
    "Against",
    "Case",
    "Comparison",
    "Evidence",
    "GateResult",
    "Pair",
    "PolicyRules",
    "RunKind",
    "Verdict",
    "by_item",
    "compare",
    "counted",
    "held_out_items",
    "holm",
    "judge_gain",
    "judge_suites",
    "listed",
    "non_inferior",
    "nothing_to_ask",
    "percent",
    "points",
    "result",
    "shortage",
    "tango_lower",
    "wilson",
    "worst",
]

_LEAST_CHANGED = 0.02


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Paired scores in numbers: shares in [0, 1], counts of items that rose and fell, one-sided bounds.

    `lower` and `upper`: the wider of the bound that resamples whole groups of items, and of Tango's, or for shares of
    sampled answers Johnson's.
    changed: the mean square of the differences; of answers that are right or wrong the share that changed.
    """

    n: int
    groups: int
    before: float
    after: float
    gained: int
    lost: int
    changed: float
    lower: float
    upper: float
    p_gain: float
    p_loss: float

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def flips(self) -> str:
        """How many items changed from right to wrong and from wrong to right, which the mean does not show."""
        return f"{self.lost:,} right→wrong, {self.gained:,} wrong→right"

    def worded(self, margin: float, noun: str = "eval item") -> str:
        """The comparison with its margin: "412 eval items, -0.7 points (lower bound -1.9), margin 2.0"."""
        return (
            f"{counted(self.n, noun)}, {points(self.difference)} points "
            f"(lower bound {points(self.lower)}), margin {points(margin, signed=False)}"
        )

    def figures(self, prefix: str = "") -> dict[str, float]:
        """The numbers by their names in reports."""
        named = {
            "items": self.n,
            "groups": self.groups,
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
            "changed": self.changed,
            "lower_bound": self.lower,
            "upper_bound": self.upper,
            "wrong_to_right": self.gained,
            "right_to_wrong": self.lost,
        }
        return {prefix + name: value for name, value in named.items()}

    def not_worse(self, margin: float, minimum: int) -> Verdict:
        """`non_inferior`, of at least `minimum` items."""
        return non_inferior((self.lower, self.difference, self.upper), margin, enough=self.n >= minimum)

    def needed(self, margin: float, minimum: int, alpha: float) -> int | None:
        """Items that would decide it at a power of 0.9, or None where the loss already exceeds the margin."""
        slack = margin + min(0.0, self.difference)
        changed = max(self.changed, _LEAST_CHANGED)
        return max(minimum, items_needed(changed, slack, alpha)) if slack > 0 else None


def non_inferior(change: tuple[float, float, float], margin: float, *, enough: bool) -> Verdict:
    """PASS when enough items put the lower bound above minus the margin. `change`: lower bound, mean, upper bound.

    FAIL when a loss is shown: the whole interval below zero and its lower bound beyond the margin or, with enough
    items, a mean loss of more than the margin. Otherwise INCONCLUSIVE.
    """
    lower, mean, upper = change
    if enough and lower >= -margin:
        return Verdict.PASS
    surely_lost = upper < 0 and lower < -margin
    return Verdict.FAIL if surely_lost or (enough and mean < -margin) else Verdict.INCONCLUSIVE


def compare(pairs: Sequence[Pair], alpha: float, seed: int) -> Comparison:
    """Compares paired scores in [0, 1]; bounds have level 1 - alpha. Raises ValueError when there are none."""
    n = len(pairs)
    differences = [float(pair.difference) for pair in pairs]
    gained, lost = sum(1 for value in differences if value > 0), sum(1 for value in differences if value < 0)
    groups = [pair.group for pair in pairs]
    lower, upper = clustered_bounds(differences, groups, alpha, seed)
    binary = all(abs(value) in (0.0, 1.0) for value in differences)
    others = _tango(gained, lost, n, alpha) if binary else skewed_bounds(differences, groups, alpha)
    return Comparison(
        n=n,
        groups=len({pair.group or (pair.suite, pair.item) for pair in pairs}),
        before=sum(pair.before for pair in pairs) / n,
        after=sum(pair.after for pair in pairs) / n,
        gained=gained,
        lost=lost,
        changed=sum(value * value for value in differences) / n,
        lower=min(lower, others[0]),
        upper=max(upper, others[1]),
        p_gain=mcnemar(gained, lost),
        p_loss=mcnemar(lost, gained),
    )


def _tango(gained: int, lost: int, n: int, alpha: float) -> tuple[float, float]:
    return tango_lower(gained, lost, n, alpha), tango_upper(gained, lost, n, alpha)


def judge_gain(
    comparison: Comparison,
    rules: AcquisitionPolicy | WriterImprovementPolicy,
    documents: int,
    *,
    words: tuple[str, str],
    chance: bool,
    bound: str = "",
) -> tuple[Verdict, str]:
    """The verdict on a gain, with its sentence: enough items and documents, at least `rules.min_gain`, and no chance.

    words: what was asked, and the two shares. bound: the bound that showed `chance`, as the sentence quotes it.
    """
    asked, shares = words
    if comparison.n < rules.min_items or documents < rules.min_documents:
        least = f"{counted(rules.min_items, 'eval item')} of {counted(rules.min_documents, 'document')}"
        wanted = f"too few: it needs at least {least}"
        return Verdict.INCONCLUSIVE, f"{asked}, {shares}; {wanted}"
    gain, least = points(comparison.difference), points(rules.min_gain, signed=False)
    verdict, reason = Verdict.PASS, f"gain {gain} points, at least {least} asked for"
    if comparison.difference < rules.min_gain:
        verdict, reason = Verdict.FAIL, f"a gain of {gain} points is less than the {least} asked for"
    elif chance:
        verdict, reason = Verdict.FAIL, f"a gain of {gain} points{bound} may be chance"
    return verdict, f"{asked}, {shares} ({p_value(comparison.p_gain)}; {comparison.flips}); {reason}"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """FAIL before INCONCLUSIVE before PASS; of nothing, INCONCLUSIVE."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if set(verdicts) == {Verdict.PASS} else Verdict.INCONCLUSIVE


def result(gate: str, verdict: Verdict, sentence: str, figures: Mapping[str, float] | None = None) -> GateResult:
    """A gate's result with its figures by name; its sentence begins with the gate's name in words."""
    found = tuple(Figure(name=name, value=float(value)) for name, value in (figures or {}).items())
    return GateResult(gate=gate, verdict=verdict, sentence=f"{gate.replace('_', ' ')}: {sentence}", figures=found)


_FILES = {
    "safety": "suites/safety/*.jsonl",
    "regression": "suites/regression/*.yaml",
    "retention": "suites/retention/*.jsonl",
}
_NOUNS = {"regression": "item"}


def judge_suites(
    gate: str, suites: Sequence[Suite], evidence: Evidence, alpha: float, rules: RegressionPolicy | SafetyPolicy
) -> GateResult:
    """PASS only if the pooled items are not worse than production's and not worse than the base model's."""
    if not suites:
        return result(gate, Verdict.INCONCLUSIVE, nothing_to_ask(gate, rules.min_items))
    noun, seed, names = _NOUNS.get(gate, "eval item"), evidence.seed(gate), [suite.name for suite in suites]
    production, base = (compare(evidence.pooled(names, against), alpha, seed) for against in Against)
    verdict = worst([one.not_worse(rules.margin, rules.min_items) for one in (production, base)])
    sentence = (
        f"{production.worded(rules.margin, noun)}; {production.flips}; against the base model "
        f"{points(base.difference)} (lower bound {points(base.lower)})"
    )
    if verdict is not Verdict.PASS:
        sentence += shortage([(production, rules.margin), (base, rules.margin)], rules.min_items, alpha, noun)
    figures = {
        **production.figures(),
        **base.figures("base_"),
        "base_budget": rules.margin,
        **_by_suite(evidence, names),
    }
    return result(gate, verdict, sentence, figures)


def nothing_to_ask(gate: str, minimum: int) -> str:
    """Says that a gate has no items, and the three ways out."""
    return (
        f"nothing to ask. Add {_FILES[gate]} with at least {minimum} items in all, let the model make some "
        f"(`sealed suites build`), or take {gate} out of policy.required"
    )


def shortage(
    comparisons: Sequence[tuple[Comparison, float]], minimum: int, alpha: float, noun: str = "eval item"
) -> str:
    """How many items would decide these comparisons with their margins, if more items would; else nothing."""
    wanted = [one.needed(margin, minimum, alpha) for one, margin in comparisons]
    short = [count for count, (one, _) in zip(wanted, comparisons, strict=True) if count and count > one.n]
    if not short or None in wanted:
        return ""
    return f"; about {max(short):,} {noun}s are needed to decide"


def _by_suite(evidence: Evidence, names: Iterable[str]) -> dict[str, float]:
    named: dict[str, float] = {}
    for name in names:
        pairs, file = evidence.pairs(name), name.partition("/")[2]
        named[f"{file}: before"] = sum(pair.before for pair in pairs) / len(pairs)
        named[f"{file}: after"] = sum(pair.after for pair in pairs) / len(pairs)
    return named
