"""How verdicts are made of comparisons, and how they combine."""

import pytest

from gates.catalogue import combine, policy_digest
from gates.judging import Pair, compare, worst
from pipeline.recipe import PolicyRules
from pipeline.types import GateReport, GateResult, ModelRef, Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def _pairs(n: int, lost: int, gained: int = 0) -> list[Pair]:
    scores = [(1.0, 0.0)] * lost + [(0.0, 1.0)] * gained + [(1.0, 1.0)] * (n - lost - gained)
    return [Pair(suite="s", item=str(at), before=before, after=after) for at, (before, after) in enumerate(scores)]


@pytest.mark.parametrize(
    ("n", "lost", "gained", "verdict"),
    [
        (400, 0, 0, PASS),
        (400, 8, 8, PASS),
        (400, 40, 0, FAIL),
        (400, 15, 0, FAIL),
        (400, 60, 54, INCONCLUSIVE),
        (100, 0, 0, INCONCLUSIVE),
        (100, 1, 0, INCONCLUSIVE),
        (100, 40, 0, FAIL),
        (3, 1, 0, INCONCLUSIVE),
    ],
)
def test_only_enough_items_and_a_good_bound_pass(n: int, lost: int, gained: int, verdict: Verdict) -> None:
    assert compare(_pairs(n, lost, gained), 0.05, 1).not_worse(0.05, 350) is verdict


def test_the_needed_number_grows_with_what_flips_and_ends_where_the_loss_is_real() -> None:
    calm, noisy = compare(_pairs(400, 4, 4), 0.05, 1), compare(_pairs(400, 60, 60), 0.05, 1)
    assert calm.needed(0.05, 350, 0.05) == 350
    assert (noisy.needed(0.05, 350, 0.05) or 0) > 900
    assert compare(_pairs(400, 40), 0.05, 1).needed(0.05, 350, 0.05) is None


def test_the_policy_digest_follows_every_value() -> None:
    assert policy_digest(PolicyRules()) == policy_digest(PolicyRules())
    assert policy_digest(PolicyRules()) != policy_digest(PolicyRules(alpha=0.01))
    assert policy_digest(PolicyRules()) != policy_digest(PolicyRules(required=("integrity",)))


def _report(*results: GateResult) -> GateReport:
    model = ModelRef(base="b")
    return GateReport(update="u", candidate=model, production=model, policy="p", results=results)


def test_a_required_gate_that_gave_nothing_is_no_pass() -> None:
    policy = PolicyRules(required=("integrity", "retention"))
    results = combine([GateResult(gate="integrity", verdict=PASS, sentence="")], policy)
    assert [(result.gate, result.verdict) for result in results] == [("integrity", PASS), ("retention", INCONCLUSIVE)]
    assert _report(*results).verdict is INCONCLUSIVE


def test_a_gate_that_is_not_required_informs_and_does_not_decide() -> None:
    policy = PolicyRules(required=("integrity",))
    results = combine(
        [GateResult(gate="integrity", verdict=PASS, sentence=""), GateResult(gate="safety", verdict=FAIL, sentence="")],
        policy,
    )
    assert [result.required for result in results] == [True, False]
    assert _report(*results).verdict is PASS


def test_integrity_cannot_be_taken_out_of_the_policy() -> None:
    results = combine([GateResult(gate="safety", verdict=PASS, sentence="")], PolicyRules(required=("safety",)))
    assert _report(*results).verdict is INCONCLUSIVE


def test_a_report_without_required_gates_is_no_pass_and_its_digest_knows_what_was_required() -> None:
    required = GateResult(gate="safety", verdict=PASS, sentence="")
    optional = GateResult(gate="safety", verdict=PASS, sentence="", required=False)
    assert _report(optional).verdict is INCONCLUSIVE
    assert _report(required).digest != _report(optional).digest


def test_the_worst_verdict_decides() -> None:
    assert worst([PASS, INCONCLUSIVE, FAIL]) is FAIL
    assert worst([PASS, INCONCLUSIVE]) is INCONCLUSIVE
    assert worst([PASS, PASS]) is PASS
    assert worst([]) is INCONCLUSIVE
