"""The run was learned: its test questions are answered better than before, surely and by enough."""

from gates.evidence import NEW, Evidence
from gates.gain import decide_gain
from gates.policy import compare
from gates.wording import counted, flips, p_value, percent
from pipeline.digests import seed_from
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, Split, Verdict


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Exact one-sided McNemar and a gain worth having; too few eval items or documents is INCONCLUSIVE."""
    rules = policy.acquisition
    documents = sum(
        any(eval_item.split is Split.TEST for eval_item in document.eval_items) for document in evidence.run
    )
    eval_items = len(evidence.new_items)
    if eval_items == 0:
        return _result(Verdict.INCONCLUSIVE, f"this run's documents hold no test questions (needed: {rules.min_items})")
    comparison = compare(evidence.pairs(NEW), policy.alpha, seed_from("acquisition", evidence.update))
    figures = (
        *comparison.figures(),
        Figure(name="documents", value=documents),
        Figure(name="p_value", value=comparison.p_gain),
    )
    asked = f"{counted(comparison.n, 'eval item')} of {counted(documents, 'document')}"
    measured = f"{percent(comparison.before)} before, {percent(comparison.after)} after"
    if comparison.n < rules.min_items or documents < rules.min_documents:
        wanted = f"too few: at least {rules.min_items} eval items of {rules.min_documents} documents are needed"
        return _result(Verdict.INCONCLUSIVE, f"{asked}, {measured}; {wanted}", figures)
    verdict, reason = decide_gain(comparison, rules.min_gain, chance=comparison.p_gain >= policy.alpha)
    return _result(
        verdict, f"{asked}, {measured} ({p_value(comparison.p_gain)}; {flips(comparison)}); {reason}", figures
    )


def _result(verdict: Verdict, sentence: str, figures: tuple[Figure, ...] = ()) -> GateResult:
    return GateResult(gate="acquisition", verdict=verdict, sentence=f"acquisition: {sentence}", figures=figures)
