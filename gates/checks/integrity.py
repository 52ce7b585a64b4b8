"""The adapter is what its manifest says, for exactly this base: otherwise nothing else about it means anything."""

from gates.evidence import Evidence
from gates.wording import counted
from pipeline.recipe import PolicyRules
from pipeline.types import Figure, GateResult, Verdict


def judge(evidence: Evidence, _policy: PolicyRules) -> GateResult:
    """FAIL with the verification's own message; PASS names what was verified."""
    if evidence.integrity is not None:
        return GateResult(gate="integrity", verdict=Verdict.FAIL, sentence=f"integrity: {evidence.integrity}")
    manifest = evidence.manifest
    sentence = (
        f"integrity: {counted(len(manifest.files), 'file')} verified, rank {manifest.rank}, "
        f"{counted(manifest.parameters, 'parameter')}, adapter {manifest.adapter[:12]}"
    )
    figures = (Figure(name="files", value=len(manifest.files)), Figure(name="parameters", value=manifest.parameters))
    return GateResult(gate="integrity", verdict=Verdict.PASS, sentence=sentence, figures=figures)
