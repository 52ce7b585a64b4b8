"""What a gate judges with: the paired comparison, the rules that make it a verdict, and the words for both. All pure.

The door of a gate's file: it hands on the types of `judge(evidence, policy) -> GateResult` and the words too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.evidence import Against, Evidence, Pair
from gates.statistics import clustered_bounds, items_needed, mcnemar, tango_lower, tango_upper
from gates.wording import counted, p_value, percent, points
from pipeline.recipe import AcquisitionPolicy, PolicyRules, WriterImprovementPolicy
from pipeline.types import Figure, GateResult, Verdict

__all__ = ["Against", "Comparison", "Evidence", "GateResult", "Pair", "PolicyRules", "Verdict"]
__all__ += ["compare", "counted", "judge_gain", "percent", "points", "result", "worst"]

_LEAST_DISCORDANT = 0.02


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Paired scores in numbers: shares in [0, 1], counts of items that rose and fell, one-sided bounds.

    `lower` and `upper` are the wider of Tango's bound and of the bound that resamples whole groups of items.
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
            "lower_bound": self.lower,
            "upper_bound": self.upper,
            "wrong_to_right": self.gained,
            "right_to_wrong": self.lost,
        }
        return {prefix + name: value for name, value in named.items()}

    def not_worse(self, margin: float, minimum: int) -> Verdict:
        """Non-inferiority: PASS when at least `minimum` items put the lower bound above minus the margin.

        FAIL when a loss is shown: the whole interval below zero and its lower bound beyond the margin or, with enough
        items, a mean loss of more than the margin. Otherwise INCONCLUSIVE.
        """
        enough = self.n >= minimum
        if enough and self.lower >= -margin:
            return Verdict.PASS
        surely_lost = self.upper < 0 and self.lower < -margin
        return Verdict.FAIL if surely_lost or (enough and self.difference < -margin) else Verdict.INCONCLUSIVE

    def needed(self, margin: float, minimum: int, alpha: float) -> int | None:
        """Items that would decide it at a power of 0.9, or None where the loss already exceeds the margin."""
        slack = margin + min(0.0, self.difference)
        discordant = max((self.gained + self.lost) / self.n, _LEAST_DISCORDANT)
        return max(minimum, items_needed(discordant, slack, alpha)) if slack > 0 else None


def compare(pairs: Sequence[Pair], alpha: float, seed: int) -> Comparison:
    """Compares paired scores in [0, 1]; bounds have level 1 - alpha. Raises ValueError when there are none."""
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
        wanted = f"too few: at least {rules.min_items} eval items of {rules.min_documents} documents are needed"
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
