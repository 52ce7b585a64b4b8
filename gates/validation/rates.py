"""What the trials of a validation came to, counted. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gates.statistics import wilson
from pipeline.types import GateReport, Verdict

LEVEL = 0.05  # of the intervals, two-sided


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One adapter as the gates judged it. `kind`: what was planted, if anything. `against`: the gates that decided.

    `against` is empty where it passed.
    """

    kind: str
    seed: int
    verdict: Verdict
    against: tuple[str, ...]

    @classmethod
    def of(cls, kind: str, seed: int, report: GateReport) -> "Trial":
        """The trial that this report tells of."""
        verdict = report.verdict
        decided = tuple(one.gate for one in report.results if one.required and one.verdict is verdict)
        return cls(kind=kind, seed=seed, verdict=verdict, against=() if verdict is Verdict.PASS else decided)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How many trials of a kind had each verdict, and the interval of the share that passed.

    against: the gates that did not pass, most often first.
    """

    kind: str
    n: int
    passed: int
    failed: int
    interval: tuple[float, float]
    against: tuple[str, ...]

    @property
    def inconclusive(self) -> int:
        return self.n - self.passed - self.failed

    @property
    def caught(self) -> int:
        """How many could not have been released: only what passes is."""
        return self.n - self.passed


def rates(trials: Iterable[Trial]) -> tuple[Rate, ...]:
    """The rates of each kind, in the order in which the kinds come first."""
    by_kind: dict[str, list[Trial]] = {}
    for trial in trials:
        by_kind.setdefault(trial.kind, []).append(trial)
    return tuple(_rate(kind, found) for kind, found in by_kind.items())


def _rate(kind: str, trials: Sequence[Trial]) -> Rate:
    verdicts = [trial.verdict for trial in trials]
    passed = verdicts.count(Verdict.PASS)
    named = [gate for trial in trials for gate in trial.against]
    return Rate(
        kind=kind,
        n=len(trials),
        passed=passed,
        failed=verdicts.count(Verdict.FAIL),
        interval=wilson(passed, len(trials), LEVEL),
        against=tuple(sorted(set(named), key=lambda gate: (-named.count(gate), gate))),
    )
