"""The adapter is what its manifest says, for exactly this base model: without that no other gate means anything."""

from gates.judging import Evidence, GateResult, PolicyRules, Verdict, counted, result


def judge(evidence: Evidence, _policy: PolicyRules) -> GateResult:
    """FAIL with the verification's own message; PASS names what was verified."""
    if evidence.integrity is not None:
        return result("integrity", Verdict.FAIL, evidence.integrity)
    manifest = evidence.case.manifest
    sentence = (
        f"{counted(len(manifest.files), 'file')} verified, rank {manifest.rank}, "
        f"{counted(manifest.parameters, 'parameter')}, adapter {manifest.adapter[:12]}"
    )
    figures = {"files": len(manifest.files), "parameters": manifest.parameters}
    return result("integrity", Verdict.PASS, sentence, figures)
