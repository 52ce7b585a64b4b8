"""This run's documents were learned: significantly more test questions are answered, by at least the minimum gain."""

from gates.draws import counting
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
    listed,
    percent,
    result,
)
from gates.per_document import scored

JUDGES = (RunKind.NIGHTLY,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Exact one-sided McNemar and at least the minimum gain; too few eval items or documents is INCONCLUSIVE.

    Of a document at most `max_per_document` eval items count. Documents that were not learned are named.
    """
    rules, case = policy.acquisition, evidence.case
    if not case.new_items:
        sentence = f"this run's documents hold no test questions (needed: {rules.min_items})"
        return result("acquisition", Verdict.INCONCLUSIVE, sentence)
    documents = sum(bool(held_out_items([document])) for document in case.documents)
    pairs = counting(evidence.pairs(RUN), case.documents, rules.max_per_document)
    comparison = compare(pairs, policy.alpha, evidence.seed("acquisition"))
    unlearned = [one for one in scored(evidence) if one.unlearned]
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
    if left := len(evidence.pairs(RUN)) - len(pairs):
        sentence += f"; {left} more do not count, of a document at most {rules.max_per_document} do"
    if unlearned:
        sentence += f"; not learned: {listed([*map(str, unlearned)])}"
    figures = {"documents": documents, "p_value": comparison.p_gain, "documents_not_learned": len(unlearned)}
    return result("acquisition", verdict, sentence, {**comparison.figures(), **figures})
