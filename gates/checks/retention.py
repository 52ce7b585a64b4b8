"""Nothing that matters was forgotten: earlier releases' eval sets and base knowledge, pooled and one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from gates.benchmark_suites import nothing_to_ask, pooled, shortage
from gates.corrections import set_aside_this_run, superseded
from gates.evidence import Against, Evidence, Pair
from gates.policy import Comparison, compare, not_worse, worst
from gates.statistics import holm
from gates.wording import compared, counted, flips, points
from pipeline.digests import seed_from
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, Verdict

FEWEST_PER_RELEASE = 20


@dataclass(frozen=True, kw_only=True)
class _ReleaseComparison:
    release: int
    comparison: Comparison
    p_loss: float


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Three conditions, all of which must hold.

    Pooled eval items of earlier production releases and `suites/retention` are not worse than the production model's
    (margin); no release of at least 20 eval items is surely down by more than its own margin (McNemar, Holm); and the
    standing suites are not worse than the base model's (total budget: small losses must not add up). Corrected
    questions are out; where this run's corrections would take out more than `max_corrected` of the eval items, the gate
    does not pass.
    """
    rules, seed, corrected = policy.retention, seed_from("retention", evidence.update), superseded(evidence)
    release_sets = [_kept(evidence.pairs(release_set.suite), corrected) for release_set in evidence.earlier]
    standing = _kept(pooled(evidence, evidence.suites.retention, Against.PRODUCTION), corrected)
    everything = [pair for release_set in release_sets for pair in release_set] + standing
    aside = _set_aside(evidence)
    too_many = _too_many(aside, len(everything) + aside, rules.max_corrected)
    if not everything:
        sentence = f"retention: {too_many}" if too_many else nothing_to_ask("retention", rules.min_items)
        return GateResult(gate="retention", verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    live = compare(everything, policy.alpha, seed)
    base_comparison = _against_base(evidence, corrected, policy.alpha, seed)
    judged = _judge_lessons(evidence, release_sets, policy.alpha, seed)
    down = [
        one for one in judged if -one.comparison.difference > rules.single_release_margin and one.p_loss < policy.alpha
    ]
    verdict = worst(
        [
            not_worse(live, rules.margin, rules.min_items),
            Verdict.FAIL if down else Verdict.PASS,
            not_worse(base_comparison, rules.base_margin, 1) if base_comparison else Verdict.INCONCLUSIVE,
            Verdict.INCONCLUSIVE if too_many else Verdict.PASS,
        ]
    )
    return GateResult(
        gate="retention",
        verdict=verdict,
        sentence=_sentence(live, base_comparison, down, too_many, verdict, policy),
        figures=_figures(live, base_comparison, judged, len(corrected), aside),
    )


def _kept(pairs: Sequence[Pair], corrected: frozenset[str]) -> list[Pair]:
    return [pair for pair in pairs if pair.item not in corrected]


def _set_aside(evidence: Evidence) -> int:
    """How many eval items would count but for this run's corrections."""
    newest, standing = set_aside_this_run(evidence), [suite.eval_items for suite in evidence.suites.retention]
    asked = [release_set.eval_items for release_set in evidence.earlier] + standing
    return sum(eval_item.id in newest for eval_items in asked for eval_item in eval_items)


def _too_many(aside: int, eval_items: int, allowed: float) -> str:
    """What is wrong when this run's corrections excuse too much, in words; else nothing."""
    if aside <= allowed * eval_items:
        return ""
    return (
        f"this run's corrections would set aside {aside:,} of {counted(eval_items, 'eval item')}, more than the "
        f"{points(allowed, signed=False)} % of advanced.policy.retention.max_corrected: let a run take fewer of them "
        "(documents.per_run), or raise it"
    )


def _against_base(evidence: Evidence, corrected: frozenset[str], alpha: float, seed: int) -> Comparison | None:
    pairs = _kept(pooled(evidence, evidence.suites.retention, Against.BASE), corrected)
    return compare(pairs, alpha, seed) if pairs else None


def _judge_lessons(
    evidence: Evidence, release_sets: list[list[Pair]], alpha: float, seed: int
) -> list[_ReleaseComparison]:
    """The releases with enough eval items to be judged alone; the others count in the pool only."""
    named = zip(evidence.earlier, release_sets, strict=True)
    alone = [
        (release_set.release, compare(pairs, alpha, seed))
        for release_set, pairs in named
        if len(pairs) >= FEWEST_PER_RELEASE
    ]
    adjusted = holm([comparison.p_loss for _, comparison in alone])
    return [_ReleaseComparison(release=r, comparison=c, p_loss=p) for (r, c), p in zip(alone, adjusted, strict=True)]


def _sentence(
    live: Comparison,
    base_comparison: Comparison | None,
    down: list[_ReleaseComparison],
    too_many: str,
    verdict: Verdict,
    policy: PolicyRules,
) -> str:
    rules = policy.retention
    parts = [f"retention: {compared(live, rules.margin, 'eval item')}", flips(live)]
    comparisons = [(live, rules.margin)]
    if base_comparison:
        comparisons.append((base_comparison, rules.base_margin))
        parts.append(
            f"since the base model {points(base_comparison.difference)} (lower bound {points(base_comparison.lower)}), "
            f"budget {points(rules.base_margin, signed=False)}"
        )
    else:
        parts.append("no standing suite to compare with the base model: add suites/retention/*.jsonl")
    parts += [f"release {one.release} is down {points(one.comparison.difference)} points" for one in down]
    parts += [too_many] if too_many else []
    more = shortage(comparisons, rules.min_items, policy.alpha, "eval item") if verdict is Verdict.INCONCLUSIVE else ""
    return "; ".join(parts) + more


def _figures(
    live: Comparison,
    base_comparison: Comparison | None,
    release_sets: list[_ReleaseComparison],
    corrected: int,
    newest: int,
) -> tuple[Figure, ...]:
    figures = [*live.figures(), Figure(name="corrected_left_out", value=corrected)]
    figures.append(Figure(name="corrected_this_run", value=newest))
    figures += base_comparison.figures("base_") if base_comparison else ()
    for one in release_sets:
        figures += one.comparison.figures(f"release {one.release}: ")
        figures.append(Figure(name=f"release {one.release}: p_loss", value=one.p_loss))
    return tuple(figures)
