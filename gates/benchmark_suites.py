"""The gates over a folder of standing suites: pooled, compared with the production model and with the base model."""

from collections.abc import Sequence

from gates.evidence import Against, Evidence, Pair
from gates.policy import Comparison, compare, needed, not_worse, worst
from gates.suite import Suite
from gates.wording import compared, flips, points
from pipeline.digests import seed_from
from pipeline.types import Figure, GateResult, Verdict

_FILES = {
    "safety": "suites/safety/*.jsonl",
    "regression": "suites/regression/*.yaml",
    "retention": "suites/retention/*.jsonl",
}
_NOUNS = {"regression": "item"}


def judge_standing(
    gate: str, suites: Sequence[Suite], evidence: Evidence, alpha: float, margin: float, minimum: int
) -> GateResult:
    """PASS only if the pooled items are not worse than the production model's and not worse than the base's."""
    if not suites:
        return GateResult(gate=gate, verdict=Verdict.INCONCLUSIVE, sentence=nothing_to_ask(gate, minimum))
    noun, seed = _NOUNS.get(gate, "eval item"), seed_from(gate, evidence.update)
    live = compare(pooled(evidence, suites, Against.PRODUCTION), alpha, seed)
    base_comparison = compare(pooled(evidence, suites, Against.BASE), alpha, seed)
    verdict = worst([not_worse(one, margin, minimum) for one in (live, base_comparison)])
    sentence = (
        f"{gate}: {compared(live, margin, noun)}; {flips(live)}; against the base model "
        f"{points(base_comparison.difference)} (lower bound {points(base_comparison.lower)})"
    )
    sentence += (
        shortage([(live, margin), (base_comparison, margin)], minimum, alpha, noun)
        if verdict is not Verdict.PASS
        else ""
    )
    figures = (*live.figures(), *base_comparison.figures("base_"), *_by_suite(evidence, suites))
    return GateResult(gate=gate, verdict=verdict, sentence=sentence, figures=figures)


def pooled(evidence: Evidence, suites: Sequence[Suite], against: Against) -> list[Pair]:
    """The pairs of all suites together."""
    return [pair for suite in suites for pair in evidence.pairs(suite.name, against)]


def nothing_to_ask(gate: str, minimum: int) -> str:
    """Says that a gate has no items, and the two ways out."""
    return (
        f"{gate}: nothing to ask. Add {_FILES[gate]} with at least {minimum} items in all, "
        f"or take {gate} out of policy.required"
    )


def shortage(comparisons: Sequence[tuple[Comparison, float]], minimum: int, alpha: float, noun: str) -> str:
    """How many items would settle it, if more items would; else nothing."""
    wanted = [needed(one, margin, minimum, alpha) for one, margin in comparisons]
    short = [count for count, (one, _) in zip(wanted, comparisons, strict=True) if count and count > one.n]
    if not short or None in wanted:
        return ""
    return f"; about {max(short):,} {noun}s are needed to decide"


def _by_suite(evidence: Evidence, suites: Sequence[Suite]) -> tuple[Figure, ...]:
    figures: list[Figure] = []
    for suite in suites:
        pairs, skill = evidence.pairs(suite.name), suite.name.partition("/")[2]
        before = sum(pair.before for pair in pairs) / len(pairs)
        after = sum(pair.after for pair in pairs) / len(pairs)
        figures += [Figure(name=f"{skill}: before", value=before), Figure(name=f"{skill}: after", value=after)]
    return tuple(figures)
