"""The trained writer's self-edits bring more recall than production's, on documents that it was not trained on.

Each validation item is asked after an update on one self-edit alone, by production and by the candidate: paired.
"""

from gates.judging import (
    WRITER,
    Evidence,
    GateResult,
    PolicyRules,
    RunKind,
    Verdict,
    compare,
    counted,
    judge_gain,
    percent,
    points,
    result,
)

JUDGES = (RunKind.WRITER_TRAINING,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Exact one-sided McNemar, a clustered lower bound above zero, and at least the minimum gain.

    All items of a document are asked after the same self-edit, so they are correlated, which McNemar ignores and the
    clustered bound respects. Too few items or documents is INCONCLUSIVE. Raises MeasurementFailed where one of the
    writers was not measured.
    """
    gate = "writer_improvement"
    pairs = evidence.pairs(WRITER)
    if not pairs:
        return result(
            gate, Verdict.INCONCLUSIVE, "no validation item of a document held out of writer training was asked"
        )
    comparison = compare(pairs, policy.alpha, evidence.seed("writes better"))
    verdict, sentence = judge_gain(
        comparison,
        policy.writer_improvement,
        comparison.groups,
        words=(
            f"{counted(comparison.n, 'validation item')} of {counted(comparison.groups, 'held-out document')}",
            f"{percent(comparison.before)} right after one self-edit by production, {percent(comparison.after)} after "
            "one by the candidate",
        ),
        chance=comparison.p_gain >= policy.alpha or comparison.lower <= 0.0,
        bound=f" (lower bound {points(comparison.lower)})",
    )
    return result(gate, verdict, sentence, {**comparison.figures(), "p_value": comparison.p_gain})
