"""Nothing that matters was forgotten: earlier lessons and the old world, pooled, one by one, and since the base."""

from collections.abc import Sequence
from dataclasses import dataclass

from gates.benchmark_suites import nothing_to_ask, pooled, shortage
from gates.corrections import set_aside_tonight, superseded
from gates.evidence import Against, Evidence, Pair
from gates.policy import Comparison, compare, not_worse, worst
from gates.statistics import holm
from gates.wording import compared, counted, flips, points
from pipeline.digests import seed_from
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, Verdict

FEWEST_PER_RELEASE = 20


@dataclass(frozen=True, kw_only=True)
class _Lesson:
    release: int
    comparison: Comparison
    p_loss: float


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Three conditions, all of which must hold.

    Pooled probes of earlier live releases and `suites/retention` are not worse than the live model's (margin); no
    release of at least 20 probes is surely down by more than its own margin (McNemar, Holm); and the standing suites
    are not worse than the untouched base's (total budget: small losses must not add up). Corrected questions are out;
    where tonight's corrections would take out more than `max_corrected` of the probes, the gate does not pass.
    """
    rules, seed, corrected = policy.retention, seed_from("retention", evidence.update), superseded(evidence)
    lessons = [_kept(evidence.pairs(lesson.suite), corrected) for lesson in evidence.earlier]
    standing = _kept(pooled(evidence, evidence.suites.retention, Against.INCUMBENT), corrected)
    everything = [pair for lesson in lessons for pair in lesson] + standing
    aside = _set_aside(evidence)
    too_many = _too_many(aside, len(everything) + aside, rules.max_corrected)
    if not everything:
        sentence = f"retention: {too_many}" if too_many else nothing_to_ask("retention", rules.min_probes)
        return GateResult(gate="retention", verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    live = compare(everything, policy.alpha, seed)
    anchor = _against_base(evidence, corrected, policy.alpha, seed)
    judged = _judge_lessons(evidence, lessons, policy.alpha, seed)
    down = [
        one for one in judged if -one.comparison.difference > rules.single_release_margin and one.p_loss < policy.alpha
    ]
    verdict = worst([
        not_worse(live, rules.margin, rules.min_probes),
        Verdict.FAIL if down else Verdict.PASS,
        not_worse(anchor, rules.anchor_margin, 1) if anchor else Verdict.INCONCLUSIVE,
        Verdict.INCONCLUSIVE if too_many else Verdict.PASS,
    ])  # fmt: skip
    return GateResult(
        gate="retention",
        verdict=verdict,
        sentence=_sentence(live, anchor, down, too_many, verdict, policy),
        figures=_figures(live, anchor, judged, len(corrected), aside),
    )


def _kept(pairs: Sequence[Pair], corrected: frozenset[str]) -> list[Pair]:
    return [pair for pair in pairs if pair.item not in corrected]


def _set_aside(evidence: Evidence) -> int:
    """How many probes would count but for tonight's corrections."""
    tonight, standing = set_aside_tonight(evidence), [suite.probes for suite in evidence.suites.retention]
    asked = [lesson.probes for lesson in evidence.earlier] + standing
    return sum(probe.id in tonight for probes in asked for probe in probes)


def _too_many(aside: int, probes: int, allowed: float) -> str:
    """What is wrong when tonight's corrections excuse too much, in words; else nothing."""
    if aside <= allowed * probes:
        return ""
    return (
        f"tonight's corrections would set aside {aside:,} of {counted(probes, 'probe')}, more than the "
        f"{points(allowed, signed=False)} % of policy.retention.max_corrected: let a night take fewer of them "
        "(documents.per_night), or raise it"
    )


def _against_base(evidence: Evidence, corrected: frozenset[str], alpha: float, seed: int) -> Comparison | None:
    pairs = _kept(pooled(evidence, evidence.suites.retention, Against.ANCHOR), corrected)
    return compare(pairs, alpha, seed) if pairs else None


def _judge_lessons(evidence: Evidence, lessons: list[list[Pair]], alpha: float, seed: int) -> list[_Lesson]:
    """The releases with enough probes to be judged alone; the others count in the pool only."""
    named = zip(evidence.earlier, lessons, strict=True)
    alone = [
        (lesson.release, compare(pairs, alpha, seed)) for lesson, pairs in named if len(pairs) >= FEWEST_PER_RELEASE
    ]
    adjusted = holm([comparison.p_loss for _, comparison in alone])
    return [_Lesson(release=r, comparison=c, p_loss=p) for (r, c), p in zip(alone, adjusted, strict=True)]


def _sentence(
    live: Comparison,
    anchor: Comparison | None,
    down: list[_Lesson],
    too_many: str,
    verdict: Verdict,
    policy: PolicyRules,
) -> str:
    rules = policy.retention
    parts = [f"retention: {compared(live, rules.margin, 'probe')}", flips(live)]
    comparisons = [(live, rules.margin)]
    if anchor:
        comparisons.append((anchor, rules.anchor_margin))
        parts.append(
            f"since the untouched base {points(anchor.difference)} (lower bound {points(anchor.lower)}), "
            f"budget {points(rules.anchor_margin, signed=False)}"
        )
    else:
        parts.append("no standing suite to compare with the untouched base: add suites/retention/*.jsonl")
    parts += [f"release {one.release} is down {points(one.comparison.difference)} points" for one in down]
    parts += [too_many] if too_many else []
    more = shortage(comparisons, rules.min_probes, policy.alpha, "probe") if verdict is Verdict.INCONCLUSIVE else ""
    return "; ".join(parts) + more


def _figures(
    live: Comparison, anchor: Comparison | None, lessons: list[_Lesson], corrected: int, tonight: int
) -> tuple[Figure, ...]:
    figures = [*live.figures(), Figure(name="corrected_left_out", value=corrected)]
    figures.append(Figure(name="corrected_tonight", value=tonight))
    figures += anchor.figures("anchor_") if anchor else ()
    for one in lessons:
        figures += one.comparison.figures(f"release {one.release}: ")
        figures.append(Figure(name=f"release {one.release}: p_loss", value=one.p_loss))
    return tuple(figures)
