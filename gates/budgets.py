"""What all releases together have lost of the base model, beside what the gates let them lose. Pure."""

from dataclasses import dataclass

from gates.wording import points
from pipeline.types import GateReport, GateResult, Verdict

_PERCENT = ("perplexity",)  # rises by percent; all others lose points


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One gate's loss since the base model (a share, `lost`; surely no more than `at_most`) and how much is allowed.

    `by_this_run`: the part of it that is this run's, against production.
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
        unit = "%" if self.gate in _PERCENT else "points"
        lost, allowed = points(max(0.0, self.lost), signed=False), points(self.allowed, signed=False)
        return f"{self.gate} {100 * self.used:.0f} % ({lost} of {allowed} {unit})"


def budgets(report: GateReport) -> tuple[Budget, ...]:
    """Those of the required gates, the most used first."""
    found = [budget for one in report.results if one.required and (budget := _budget(one))]
    return tuple(sorted(found, key=lambda one: -one.used))


def sentences(report: GateReport) -> list[str]:
    """What is used of the budgets, and which a next run would overspend; nothing of a report that did not pass."""
    found = budgets(report)
    if report.verdict is not Verdict.PASS or not found:
        return []
    used = f"Budgets since the base model, used by all releases together: {', '.join(map(str, found))}."
    spent = [one.gate for one in found if not one.outlasts_another]
    if not spent:
        return [used]
    return [f"{used} A next run that loses as much as this one would not pass: {', '.join(spent)}."]


def _budget(result: GateResult) -> Budget | None:
    figures = {one.name: one.value for one in result.figures}
    if not (allowed := figures.get("base_budget")):
        return None
    rises = result.gate in _PERCENT
    return Budget(
        gate=result.gate,
        lost=figures["base_rise"] if rises else -figures["base_difference"],
        at_most=figures["base_bound"] if rises else -figures["base_lower_bound"],
        by_this_run=figures["rise"] if rises else -figures["difference"],
        allowed=allowed,
    )
