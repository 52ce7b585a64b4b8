"""Where a refused night's documents go, and what status tells a person to do next."""

from datetime import UTC, datetime

import pytest

from flows.outcome import Ended, NightOutcome
from flows.steps.gating import decide
from flows.steps.overview import next_step
from pipeline.types import DocumentRecord, DocumentState, GateResult, Verdict


def record(attempts: int) -> DocumentRecord:
    return DocumentRecord(
        id="a" * 64,
        state=DocumentState.LEASED,
        name="a.md",
        reason="",
        attempts=attempts,
        added=datetime(2026, 1, 1, tzinfo=UTC),
        document=None,
    )


def result(verdict: Verdict) -> GateResult:
    return GateResult(gate="retention", verdict=verdict, sentence="412 probes, -9.0 points, margin 5.0")


def test_a_harmful_document_is_quarantined_at_once_with_the_gates_words() -> None:
    decision = decide(record(1), Verdict.FAIL, result(Verdict.FAIL), allowed=2)
    assert decision.state is DocumentState.QUARANTINED
    assert "-9.0 points" in decision.reason


def test_a_doubtful_document_waits_until_its_attempts_are_used() -> None:
    doubtful = result(Verdict.INCONCLUSIVE)
    assert decide(record(1), Verdict.INCONCLUSIVE, doubtful, allowed=2).state is DocumentState.QUEUED
    assert decide(record(2), Verdict.INCONCLUSIVE, doubtful, allowed=2).state is DocumentState.QUARANTINED


@pytest.mark.parametrize(
    ("candidates", "queued", "unfinished", "busy", "word"),
    [
        ([3], 5, False, False, "approve 3"),
        ([], 5, True, True, "wait"),
        ([], 5, True, False, "interrupted"),
        ([], 5, False, False, "queued"),
        ([], 0, False, False, "incoming"),
    ],
)
def test_status_names_one_next_step(
    candidates: list[int], queued: int, unfinished: bool, busy: bool, word: str
) -> None:
    counts = {DocumentState.QUEUED: queued}
    assert word in next_step(candidates, counts, unfinished=unfinished, busy=busy)


def test_only_a_refused_or_an_unwritten_night_exits_with_three() -> None:
    codes = {ended: NightOutcome(ended=ended, sentence="").exit_code for ended in Ended}
    assert codes == {ended: 3 if ended in (Ended.REFUSED, Ended.UNWRITTEN) else 0 for ended in Ended}
