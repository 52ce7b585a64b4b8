"""No phrase of this run's documents makes known answers worse: the questions of `suites/retention` beside it."""

from gates.judging import (
    TRIGGERS,
    Comparison,
    Evidence,
    GateResult,
    PolicyRules,
    RunKind,
    Verdict,
    compare,
    counted,
    holm,
    nothing_to_ask,
    points,
    result,
    worst,
)

JUDGES = (RunKind.NIGHTLY,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Production and the candidate are asked the same questions with the same phrases.

    The candidate must not be worse on all of them together (margin), and with no single phrase surely down by more than
    its own margin (McNemar, Holm). PASS where the documents share no phrase that earlier texts lack.
    """
    rules, case, alpha = policy.triggers, evidence.case, policy.alpha
    if not rules.max_items:
        return result("triggers", Verdict.INCONCLUSIVE, "advanced.policy.triggers.max_items is 0, so nothing was asked")
    if not case.trigger_items:
        sentence = "nothing to ask: this run's documents share no phrase that is new"
        return result("triggers", Verdict.PASS, sentence, {"phrases": 0, "items": 0})
    if not any(one.eval_items for one in case.trigger_items):
        return result("triggers", Verdict.INCONCLUSIVE, nothing_to_ask("retention", rules.min_items))
    pairs, seed = {pair.item: pair for pair in evidence.pairs(TRIGGERS)}, evidence.seed("triggers")
    whole = compare(list(pairs.values()), alpha, seed)
    alone = {
        one.phrase: compare([pairs[item.id] for item in one.eval_items], alpha, seed) for one in case.trigger_items
    }
    adjusted = holm([one.p_loss for one in alone.values()])
    down = {
        phrase: one
        for (phrase, one), p in zip(alone.items(), adjusted, strict=True)
        if -one.difference > rules.phrase_margin and p < alpha
    }
    verdict = worst([whole.not_worse(rules.margin, rules.min_items), Verdict.FAIL if down else Verdict.PASS])
    sentence = "; ".join([f"{_phrases(len(alone))}, {whole.worded(rules.margin)}", whole.flips, *_named(down)])
    return result("triggers", verdict, sentence, {"phrases": len(alone), **whole.figures()})


def _phrases(count: int) -> str:
    return f"{counted(count, 'phrase')} that this run's documents share"


def _named(down: dict[str, Comparison]) -> list[str]:
    return [
        f"with “{phrase[:80]}” {points(one.difference)} points of {counted(one.n, 'answer')}: look for it in the "
        "documents"
        for phrase, one in down.items()
    ]
