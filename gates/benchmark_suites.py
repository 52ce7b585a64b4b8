"""The gates over a folder of benchmark suites: pooled, compared with production and with the base model."""

from collections.abc import Iterable, Sequence

from gates.judging import Against, Comparison, Evidence, GateResult, Verdict, compare, points, result, worst
from gates.suite import Suite
from pipeline.recipe import RegressionPolicy, SafetyPolicy

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
    figures = {**production.figures(), **base.figures("base_"), **_by_suite(evidence, names)}
    return result(gate, verdict, sentence, figures)


def nothing_to_ask(gate: str, minimum: int) -> str:
    """Says that a gate has no items, and the two ways out."""
    return (
        f"nothing to ask. Add {_FILES[gate]} with at least {minimum} items in all, "
        f"or take {gate} out of policy.required"
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
