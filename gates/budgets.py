"""What a model has lost since the base model, with all releases before it, beside what the gates let it lose. Pure."""

from dataclasses import dataclass

from gates.wording import points
from pipeline.types import GateReport, GateResult, Verdict

# The figures of gates whose losses are rises: since the base, its bound, against production. All others lose shares.
_MEASURES = {
    "perplexity": ("base_rise", "base_bound", "rise"),
    "drift": ("base_nats", "base_bound", "nats"),
}
_DIFFERENCES = ("base_difference", "base_lower_bound", "difference")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One gate's loss since the base model (a share, `lost`; surely no more than `at_most`) and how much is allowed.

    `by_this_run`: what the same items lose against production.
    """

    gate: str
    lost: float
    at_most: float
    by_this_run: float
    allowed: float

    @property
    def used(self) -> float:
        """The share of the budget that is used."""
        return max(0.0, self.lost) / self.allowed

    @property
    def outlasts_another(self) -> bool:
        """Whether a next run that loses as much as this one would still pass."""
        return self.at_most + max(0.0, self.by_this_run) <= self.allowed

    def __str__(self) -> str:
        if self.gate == "drift":
            return f"drift {100 * self.used:.0f} % ({self.lost:.4f} of {self.allowed:g} nats a token)"
        unit = "%" if self.gate == "perplexity" else "points"
        lost, allowed = points(max(0.0, self.lost), signed=False), points(self.allowed, signed=False)
        return f"{self.gate} {100 * self.used:.0f} % ({lost} of {allowed} {unit})"


def budgets(report: GateReport) -> tuple[Budget, ...]:
    """Those of the required gates, the most used first."""
    found = [budget for one in report.results if one.required and (budget := _budget(one))]
    return tuple(sorted(found, key=lambda one: -one.used))


def sentences(report: GateReport) -> list[str]:
    """What is used of the budgets, and which as much again would overspend; nothing of a report that did not pass."""
    found = budgets(report)
    if report.verdict is not Verdict.PASS or not found:
        return []
    used = f"Used of what may be lost since the base model: {', '.join(map(str, found))}."
    spent = [one.gate for one in found if not one.outlasts_another]
    if not spent:
        return [used]
    return [
        f"{used} What loses as much again as this model loses against production would not pass: {', '.join(spent)}."
    ]


def _budget(result: GateResult) -> Budget | None:
    figures = {one.name: one.value for one in result.figures}
    if not (allowed := figures.get("base_budget")):
        return None
    of_base, bound, of_production = _MEASURES.get(result.gate, _DIFFERENCES)
    sign = 1 if result.gate in _MEASURES else -1
    return Budget(
        gate=result.gate,
        lost=sign * figures[of_base],
        at_most=sign * figures[bound],
        by_this_run=sign * figures.get("suites_difference", figures[of_production]),
        allowed=allowed,
    )
