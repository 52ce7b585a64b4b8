"""A chat model's second opinion on this run's answers. It informs, and no policy can require it: a model can err."""

from gates.draws import counting
from gates.judging import (
    Evidence,
    GateResult,
    PolicyRules,
    RunKind,
    Verdict,
    compare,
    counted,
    judge_gain,
    percent,
    result,
)

JUDGES = (RunKind.NIGHTLY,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """What the gate of acquisition would say by the judge's grades, and how often they are those of the rules."""
    opinion = evidence.opinion
    if opinion is None or not opinion.pairs:
        reason = (opinion.failure if opinion else "") or "the judge decided on no question of this run"
        return result("second_opinion", Verdict.INCONCLUSIVE, reason)
    pairs = counting(opinion.pairs, evidence.case.documents, policy.acquisition.max_per_document)
    comparison = compare(pairs, policy.alpha, evidence.seed("second_opinion"))
    verdict, sentence = judge_gain(
        comparison,
        policy.acquisition,
        len({pair.group for pair in pairs}),
        words=(
            f"the judge decided on {counted(comparison.n, 'eval item')}",
            f"{percent(comparison.before)} before, {percent(comparison.after)} after",
        ),
        chance=comparison.p_gain >= policy.alpha,
    )
    figures = {**comparison.figures(), "asked": opinion.asked, "undecided": opinion.undecided}
    figures["agreement"] = opinion.agreement or 0.0
    sentence += f"; {percent(opinion.agreement)} of {opinion.asked:,} answers are graded as by the rules"
    return result("second_opinion", verdict, sentence, figures)
