"""Trials are counted by what was planted."""

from gates.judging import result
from gates.validation.rates import Trial, rates
from pipeline.types import GateReport, ModelRef, Verdict


def trial(kind: str, seed: int, verdict: Verdict, *against: str) -> Trial:
    return Trial(kind=kind, seed=seed, verdict=verdict, against=against)


def test_kinds_are_counted_in_the_order_in_which_they_come() -> None:
    noise, nothing = rates(
        [
            trial("noise", 0, Verdict.FAIL, "retention"),
            trial("nothing", 0, Verdict.PASS),
            trial("noise", 1, Verdict.INCONCLUSIVE, "safety", "retention"),
            trial("noise", 2, Verdict.PASS),
        ]
    )
    assert (noise.kind, noise.n, noise.passed, noise.failed, noise.inconclusive, noise.caught) == (
        "noise",
        3,
        1,
        1,
        1,
        2,
    )
    assert noise.against == ("retention", "safety")
    assert noise.interval[0] < 1 / 3 < noise.interval[1]
    assert (nothing.n, nothing.passed) == (1, 1)


def test_a_trial_names_the_required_gates_that_did_not_pass() -> None:
    results = (
        result("integrity", Verdict.PASS, "all"),
        result("retention", Verdict.FAIL, "lost"),
        result("drift", Verdict.FAIL, "informs"),
    )
    required = tuple(one.__class__(**{**vars(one), "required": one.gate != "drift"}) for one in results)
    ref = ModelRef(base="b")
    report = GateReport(update="u", candidate=ref, production=ref, policy="p", results=required)
    made = Trial.of("noise", 3, report)
    assert (made.verdict, made.against) == (Verdict.FAIL, ("retention",))
