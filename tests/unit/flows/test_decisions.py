"""Where a refused run's documents go, and what status tells a person to do next."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.outcome import Ended, RunOutcome
from flows.services.status import next_step
from flows.steps.outcomes import contradicting, decide
from flows.steps.updates import rehearsal_rules_after, weighed, written_after
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.types import (
    DocumentRecord,
    DocumentState,
    Example,
    GateResult,
    ModelRef,
    Role,
    RunKind,
    SelfEdit,
    Update,
    UpdatePlan,
    Verdict,
)
from tests.ledgers import report_on


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
    return GateResult(gate="retention", verdict=verdict, sentence="412 eval_items, -9.0 points, margin 5.0")


def test_a_harmful_document_is_quarantined_at_once_with_the_gates_words() -> None:
    decision = decide(record(1), Verdict.FAIL, result(Verdict.FAIL), allowed=2)
    assert decision.state is DocumentState.QUARANTINED
    assert "-9.0 points" in decision.reason


def test_a_doubtful_document_waits_until_its_attempts_are_used() -> None:
    doubtful = result(Verdict.INCONCLUSIVE)
    assert decide(record(1), Verdict.INCONCLUSIVE, doubtful, allowed=2).state is DocumentState.QUEUED
    assert decide(record(2), Verdict.INCONCLUSIVE, doubtful, allowed=2).state is DocumentState.QUARANTINED


def test_a_run_ends_with_what_its_documents_contradict() -> None:
    said = GateResult(gate="contradictions", verdict=Verdict.FAIL, sentence="contradictions: 5 of 5", required=False)
    report = report_on(Update(parent=ModelRef(base="b"), self_edits=(), examples_digest="", recipe="", seed=0))
    assert contradicting(replace(report, results=(said,))) == ". Look at contradictions: 5 of 5"
    assert contradicting(replace(report, results=(replace(said, verdict=Verdict.PASS),))) == ""


@pytest.mark.parametrize(
    ("candidates", "queued", "unfinished", "busy", "to_forget", "word"),
    [
        ([3], 5, None, False, 0, "approve 3"),
        ([], 5, RunKind.NIGHTLY, True, 1, "wait"),
        ([], 5, RunKind.NIGHTLY, False, 0, "interrupted"),
        ([], 5, RunKind.REBUILD, False, 0, "goes on with the interrupted rebuild"),
        ([], 5, RunKind.WRITER_TRAINING, False, 0, "goes on with the interrupted writer training"),
        ([], 5, RunKind.NIGHTLY, False, 2, "`sealed rebuild`: production still knows 2 withdrawn"),
        ([], 5, None, False, 0, "queued"),
        ([], 0, None, False, 0, "incoming"),
    ],
)
def test_status_names_one_next_step(
    candidates: list[int], queued: int, unfinished: RunKind | None, busy: bool, to_forget: int, word: str
) -> None:
    counts = {DocumentState.QUEUED: queued}
    assert word in next_step(candidates, counts, unfinished=unfinished, busy=busy, to_forget=to_forget)


def test_status_says_how_what_a_rollback_reverted_is_learned_again() -> None:
    told = next_step([], {DocumentState.REVERTED: 8}, unfinished=None, busy=False)
    assert "8 documents reverted by a rollback" in told
    assert "`sealed documents requeue ID ...`" in told
    both = {DocumentState.QUEUED: 1, DocumentState.REVERTED: 8}
    assert next_step([], both, unfinished=None, busy=False) == "`sealed update` learns the queued documents"


def test_status_says_how_many_files_wait_to_be_read() -> None:
    told = next_step([], {}, unfinished=None, busy=False, incoming=1)
    assert told == "put documents into incoming/ (1 file there, known or new), then `sealed update`"


@pytest.mark.parametrize(("queued", "word"), [(5, "learns the queued documents"), (0, "put documents into incoming/")])
def test_after_a_refused_practice_status_says_how_to_practise_again_and_how_to_go_on(queued: int, word: str) -> None:
    told = next_step([], {DocumentState.QUEUED: queued}, unfinished=None, busy=False, writer_refused=True)
    assert "the writer stays as it was" in told
    assert "`sealed train-writer --documents DIR`; or go on: " in told
    assert word in told
    assert next_step([], {}, unfinished=None, busy=False, writer_refused=True, to_forget=1).startswith(
        "`sealed rebuild`"
    )


def test_a_run_after_a_practice_is_not_held_to_how_the_base_writes() -> None:
    rules = RehearsalRules(kl_weight=1.0)
    nightly, practice = RunKind.NIGHTLY, RunKind.WRITER_TRAINING
    assert rehearsal_rules_after(rules, frozenset({nightly, practice})).distilled == (
        "rehearsal",
        "generative",
        "reading",
        "replay",
    )
    for behind in (frozenset[RunKind](), frozenset({nightly, RunKind.REBUILD})):
        assert rehearsal_rules_after(rules, behind) == rules


def test_a_run_after_a_practice_rehearses_what_its_own_writer_wrote() -> None:
    edits = (SelfEdit(document="d", style="s", writer=ModelRef(base="b"), sample=0, prompt="p", text="t", examples=()),)
    assert written_after(edits, frozenset({RunKind.NIGHTLY, RunKind.WRITER_TRAINING})) == edits
    assert written_after(edits, frozenset({RunKind.NIGHTLY})) is None


@pytest.mark.parametrize(("ledger", "rehearsed", "weight"), [(1, 10, 3.0), (4, 8, 2.0), (5, 1, 1.0)])
def test_in_a_rebuild_the_ledger_weighs_what_is_rehearsed_within_one_and_a_runs_weight(
    ledger: int, rehearsed: int, weight: float
) -> None:
    rules, live = TrainingRules(new_weight=3.0), ModelRef(base="b")
    roles = [Role.NEW] * ledger + [Role.GENERATIVE] * rehearsed
    plan = UpdatePlan(
        update=Update(parent=live, self_edits=(), examples_digest="e", recipe="r", seed=0),
        examples=tuple(Example(prompt="", completion=str(place), role=role) for place, role in enumerate(roles)),
    )
    assert weighed(rules, RunKind.NIGHTLY, plan) == rules
    assert weighed(rules, RunKind.REBUILD, plan).new_weight == weight


def test_in_a_rebuild_corrections_weigh_as_much_once_more() -> None:
    rules, live = TrainingRules(new_weight=4.0, correction_weight=10.0), ModelRef(base="b")
    examples = [Example(prompt="", completion=f"new {place}", corrects=place < 2) for place in range(12)]
    examples += [Example(prompt="", completion=f"old {place}", role=Role.GENERATIVE) for place in range(20)]
    update = Update(parent=live, self_edits=(), examples_digest="e", recipe="r", seed=0)
    found = weighed(rules, RunKind.REBUILD, UpdatePlan(update=update, examples=tuple(examples)))
    assert (found.new_weight, found.correction_weight) == (2.0, 5.0)


def test_only_a_run_that_came_to_nothing_exits_with_three() -> None:
    codes = {ended: RunOutcome(ended=ended, sentence="").exit_code for ended in Ended}
    assert codes == {
        ended: 3 if ended in (Ended.REFUSED, Ended.UNWRITTEN, Ended.NOT_TESTABLE) else 0 for ended in Ended
    }
