"""Whether a gain is worth having and no chance: what acquisition and `writer_improvement` decide alike. Pure."""

from gates.policy import Comparison
from gates.wording import points
from pipeline.types import Verdict


def decide_gain(comparison: Comparison, min_gain: float, *, chance: bool, bound: str = "") -> tuple[Verdict, str]:
    """FAIL for a gain (share) below `min_gain` or by `chance`; with the reason, which tells of the `bound` if given."""
    gain, wanted = points(comparison.difference), points(min_gain, signed=False)
    if comparison.difference < min_gain:
        return Verdict.FAIL, f"a gain of {gain} points is less than the {wanted} asked for"
    if chance:
        return Verdict.FAIL, f"a gain of {gain} points{bound} may be chance"
    return Verdict.PASS, f"gain {gain} points, at least {wanted} asked for"
