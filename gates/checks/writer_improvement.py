"""The trained writer's self-edits teach more than production's, on documents that it was never trained on.

Each question is asked after an update on one self-edit alone, by the production model and by the candidate: paired.
"""

from gates.evidence import WRITING, Evidence
from gates.gain import decide_gain
from gates.policy import compare
from gates.wording import counted, flips, p_value, percent, points
from pipeline.digests import seed_from
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, Verdict


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Exact one-sided McNemar, a gain whose clustered lower bound is above zero, and one worth having.

    The questions of one document are asked after one self-edit: they are lucky together, which McNemar does not know.
    Too few questions or documents is INCONCLUSIVE.

    Raises MeasurementFailed where one of the writers was not measured.
    """
    rules = policy.writer_improvement
    pairs = evidence.pairs(WRITING)
    if not pairs:
        return _result(Verdict.INCONCLUSIVE, "no question about a document never practised on could be asked", ())
    comparison = compare(pairs, policy.alpha, seed_from("writes better", evidence.update))
    figures = (*comparison.figures(), Figure(name="p_value", value=comparison.p_gain))
    documents = counted(comparison.groups, "document")
    asked = f"{counted(comparison.n, 'validation question')} of {documents} never practised on"
    measured = f"one self-edit by the production model teaches {percent(comparison.before)}, one by the candidate"
    measured += f" {percent(comparison.after)}"
    if comparison.n < rules.min_items or comparison.groups < rules.min_documents:
        wanted = f"too few: at least {rules.min_items} questions of {rules.min_documents} documents are needed"
        return _result(Verdict.INCONCLUSIVE, f"{asked}, {measured}; {wanted}", figures)
    verdict, reason = decide_gain(
        comparison,
        rules.min_gain,
        chance=comparison.p_gain >= policy.alpha or comparison.lower <= 0.0,
        bound=f" (lower bound {points(comparison.lower)})",
    )
    return _result(
        verdict, f"{asked}, {measured} ({p_value(comparison.p_gain)}; {flips(comparison)}); {reason}", figures
    )


def _result(verdict: Verdict, sentence: str, figures: tuple[Figure, ...]) -> GateResult:
    return GateResult(
        gate="writer_improvement", verdict=verdict, sentence=f"writer improvement: {sentence}", figures=figures
    )
