"""Nothing that matters was forgotten: earlier releases' eval sets and the retention suites, pooled and one by one."""

from dataclasses import dataclass, replace
from itertools import chain

from gates.corrections import outdated_this_run, superseded
from gates.judging import (
    Against,
    Case,
    Comparison,
    Evidence,
    GateResult,
    Pair,
    PolicyRules,
    Verdict,
    compare,
    counted,
    holm,
    nothing_to_ask,
    points,
    result,
    shortage,
    worst,
)
from pipeline.types import EvalItem

FEWEST_PER_RELEASE = 10


@dataclass(frozen=True)
class _Release:
    """One earlier release's eval set, before and after, and the p-value of its loss, adjusted after Holm."""

    number: int
    comparison: Comparison
    p_loss: float

    @property
    def lost(self) -> float:
        return -self.comparison.difference

    def __str__(self) -> str:
        return f"release {self.number} is down {points(self.comparison.difference)} points"

    @property
    def figures(self) -> dict[str, float]:
        name = f"release {self.number}: "
        return {**self.comparison.figures(name), f"{name}p_loss": self.p_loss}


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Three conditions, all of which must hold.

    Pooled eval items of earlier releases and `suites/retention` are not worse than production's (margin); no release of
    at least 10 eval items is surely down by more than its own margin (McNemar, Holm); and the retention suites are not
    worse than the base model's (a total budget: small losses must not add up). Corrected questions are left out; where
    this run's corrections would leave out more than `max_corrected` of the eval items, the gate does not pass.
    """
    rules, corrected = policy.retention, superseded(evidence.case)
    pairs = {one.release: evidence.pooled([one.suite], without=corrected) for one in evidence.case.asked_earlier}
    suites = [suite.name for suite in evidence.case.suites.retention]
    everything = [*chain(*pairs.values()), *evidence.pooled(suites, without=corrected)]
    newest = outdated_this_run(evidence.case)
    asked, known = _asked(evidence.case), len(evidence.case.known)
    outdated = sum(eval_item.id in newest for eval_item in asked)
    too_many = _too_many(outdated, len(everything) + outdated, rules.max_corrected)
    if not everything:
        return result("retention", Verdict.INCONCLUSIVE, too_many or nothing_to_ask("retention", rules.min_items))
    seed, against_base = evidence.seed("retention"), evidence.pooled(suites, Against.BASE, corrected)
    production = compare(everything, policy.alpha, seed)
    base = compare(against_base, policy.alpha, seed) if against_base else None
    releases = _releases(pairs, policy.alpha, seed)
    down = [one for one in releases if one.lost > rules.single_release_margin and one.p_loss < policy.alpha]
    verdict = worst(
        [
            production.not_worse(rules.margin, rules.min_items),
            Verdict.FAIL if down else Verdict.PASS,
            base.not_worse(rules.base_margin, 1) if base else Verdict.INCONCLUSIVE,
            Verdict.INCONCLUSIVE if too_many else Verdict.PASS,
        ]
    )
    sentence = "; ".join([*_measured(production, base, policy), *map(str, down), *([too_many] if too_many else [])])
    if len(asked) < known:
        sentence += f"; {len(asked):,} of {counted(known, 'eval item')} were drawn"
    if verdict is Verdict.INCONCLUSIVE:
        budgets = [(production, rules.margin), *([(base, rules.base_margin)] if base else [])]
        sentence += shortage(budgets, rules.min_items, policy.alpha)
    figures = {**production.figures(), "corrected_left_out": len(corrected), "corrected_this_run": outdated}
    figures |= {"drawn": len(asked), "drawn_of": known}
    figures |= base.figures("base_") if base else {}
    for one in releases:
        figures |= one.figures
    return result("retention", verdict, sentence, figures)


def _asked(case: Case) -> tuple[EvalItem, ...]:
    """The eval items of the suites and of earlier releases, as far as they are asked."""
    return replace(case, earlier=case.asked_earlier).known


def _too_many(outdated: int, eval_items: int, allowed: float) -> str:
    """What is wrong when this run's corrections leave out too much, in words; else nothing."""
    if outdated <= allowed * eval_items:
        return ""
    return (
        f"this run's corrections would leave out {outdated:,} of {counted(eval_items, 'eval item')}, more than the "
        f"{points(allowed, signed=False)} % of advanced.policy.retention.max_corrected: let a run take fewer of them "
        "(documents.per_run), or raise it"
    )


def _releases(pairs: dict[int, list[Pair]], alpha: float, seed: int) -> list[_Release]:
    """The releases with enough eval items to be judged alone; the others count in the pool only."""
    alone = {number: compare(found, alpha, seed) for number, found in pairs.items() if len(found) >= FEWEST_PER_RELEASE}
    adjusted = holm([comparison.p_loss for comparison in alone.values()])
    return [_Release(number, comparison, p) for (number, comparison), p in zip(alone.items(), adjusted, strict=True)]


def _measured(production: Comparison, base: Comparison | None, policy: PolicyRules) -> list[str]:
    rules = policy.retention
    against_base = "no retention suite to compare with the base model: add suites/retention/*.jsonl"
    if base:
        against_base = (
            f"since the base model {points(base.difference)} (lower bound {points(base.lower)}), "
            f"budget {points(rules.base_margin, signed=False)}"
        )
    return [production.worded(rules.margin), production.flips, against_base]
