"""The night was learned: its exam questions are answered better than before, surely and by enough."""

from gates.evidence import NIGHT, Evidence
from gates.gain import decide_gain
from gates.policy import compare
from gates.wording import counted, flips, p_value, percent
from pipeline.digests import seed_from
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, Split, Verdict


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Exact one-sided McNemar and a gain worth having; too few probes or documents is INCONCLUSIVE."""
    rules = policy.acquisition
    documents = sum(any(probe.split is Split.EXAM for probe in document.probes) for document in evidence.night)
    probes = len(evidence.night_probes)
    if probes == 0:
        return _result(Verdict.INCONCLUSIVE, f"tonight's documents hold no exam questions (needed: {rules.min_probes})")
    comparison = compare(evidence.pairs(NIGHT), policy.alpha, seed_from("acquisition", evidence.update))
    figures = (
        *comparison.figures(),
        Figure(name="documents", value=documents),
        Figure(name="p_value", value=comparison.p_gain),
    )
    asked = f"{counted(comparison.n, 'probe')} of {counted(documents, 'document')}"
    measured = f"{percent(comparison.before)} before, {percent(comparison.after)} after"
    if comparison.n < rules.min_probes or documents < rules.min_documents:
        wanted = f"too few: at least {rules.min_probes} probes of {rules.min_documents} documents are needed"
        return _result(Verdict.INCONCLUSIVE, f"{asked}, {measured}; {wanted}", figures)
    verdict, reason = decide_gain(comparison, rules.min_gain, chance=comparison.p_gain >= policy.alpha)
    return _result(
        verdict, f"{asked}, {measured} ({p_value(comparison.p_gain)}; {flips(comparison)}); {reason}", figures
    )


def _result(verdict: Verdict, sentence: str, figures: tuple[Figure, ...] = ()) -> GateResult:
    return GateResult(gate="acquisition", verdict=verdict, sentence=f"acquisition: {sentence}", figures=figures)
