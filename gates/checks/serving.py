"""The engine that serves loads the candidate, answers otherwise than with the base model, and in time."""

from gates.judging import Evidence, GateResult, PolicyRules, Verdict, result


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """FAIL where the engine refuses the adapter or does not apply it, or where only the candidate answers too late.

    That it differs from the base is shown by the likelihoods of known answers, whose words may well be the same. A base
    model that is too late itself tells of the machine: INCONCLUSIVE, as is an engine that did not answer.
    """
    served, most = evidence.case.served, policy.serving.max_seconds
    if served is None or served.failure:
        reason = served.failure if served else "the candidate was not tried in the serving engine"
        return result("serving", Verdict.INCONCLUSIVE, reason)
    if served.broken:
        return result("serving", Verdict.FAIL, f"{served.engine}: {served.broken}")
    late, base_late = served.seconds > most, served.base_seconds > most
    verdict = Verdict.INCONCLUSIVE if base_late else Verdict.FAIL if late else Verdict.PASS
    sentence = (
        f"{served.engine}: loaded in {served.load_seconds:.1f} s and applied, {served.changed} of {served.asked} known "
        f"prompts answered in other words; an answer takes {served.seconds:.2f} s, with the base model "
        f"{served.base_seconds:.2f} s, at most {most:g} s allowed"
    )
    figures = {
        "load_seconds": served.load_seconds,
        "seconds": served.seconds,
        "base_seconds": served.base_seconds,
        "changed": served.changed,
        "asked": served.asked,
    }
    return result("serving", verdict, sentence, figures)
