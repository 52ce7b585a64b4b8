"""This run's documents were learned: significantly more test questions are answered, by at least the minimum gain."""

from gates.judging import (
    RUN,
    Evidence,
    GateResult,
    PolicyRules,
    RunKind,
    Verdict,
    compare,
    counted,
    held_out_items,
    judge_gain,
    percent,
    result,
)

JUDGES = (RunKind.NIGHTLY,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Exact one-sided McNemar and at least the minimum gain; too few eval items or documents is INCONCLUSIVE."""
    rules, case = policy.acquisition, evidence.case
    if not case.new_items:
        sentence = f"this run's documents hold no test questions (needed: {rules.min_items})"
        return result("acquisition", Verdict.INCONCLUSIVE, sentence)
    documents = sum(bool(held_out_items([document])) for document in case.documents)
    comparison = compare(evidence.pairs(RUN), policy.alpha, evidence.seed("acquisition"))
    verdict, sentence = judge_gain(
        comparison,
        rules,
        documents,
        words=(
            f"{counted(comparison.n, 'eval item')} of {counted(documents, 'document')}",
            f"{percent(comparison.before)} before, {percent(comparison.after)} after",
        ),
        chance=comparison.p_gain >= policy.alpha,
    )
    figures = {**comparison.figures(), "documents": documents, "p_value": comparison.p_gain}
    return result("acquisition", verdict, sentence, figures)
