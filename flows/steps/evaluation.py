"""Puts the candidate before the gates, and sends a refused night's documents where they belong."""

from flows.outcome import Ended, NightOutcome
from flows.progress import stage
from flows.run_context import Shift
from flows.steps.reports import write_night_report
from flows.steps.timing import timed
from gates.evidence import exam_probes
from gates.suite import read_suites
from pipeline.types import (
    DocumentDecision,
    DocumentRecord,
    DocumentState,
    GateReport,
    GateResult,
    IntakeCounts,
    Night,
    NightKind,
    NightState,
    Probe,
    Scores,
    Trained,
    UpdatePlan,
    Verdict,
)
from registry.store import documents, releases, runs, withdrawals


def judge(
    shift: Shift,
    night: Night,
    plan: UpdatePlan,
    trained: Trained,
    rewarded: tuple[Probe, ...] = (),
    writing: tuple[Scores, Scores] | None = None,
) -> GateReport:
    """Measures the candidate against production and the untouched base, and keeps the report.

    `rewarded` and `writing` are a practice's: see `gates.evaluation.judge_candidate`.
    """
    from gates.evaluation import judge_candidate

    house = shift.house
    runs.move(house.store, shift.lease, night.number, NightState.GATING)
    live = releases.get(house.store, night.parent)
    learned = documents.of(house.store, night.documents)
    with timed(shift, night, "gates"):
        report, evidence = judge_candidate(
            house.base,
            update=plan.update,
            plan=plan,
            manifest=trained.manifest,
            candidate_dir=house.folder_of(plan.update.id),
            incumbent=live.model,
            incumbent_dir=house.held_adapter(live),
            night=learned,
            earlier=[(number, exam_probes(taught)) for number, taught in documents.learned(house.store)],
            suites=read_suites(house.settings.suites),
            recipe=shift.recipe,
            cache=house.settings.cache,
            kind=night.kind,
            withdrawn=withdrawals.remembered(house.store) if night.kind is NightKind.REBUILD else (),
            rewarded=rewarded,
            writing=writing,
            progress=lambda who, done, total: stage(f"gates: {who}")(done, total),
        )
        write_night_report(house, night, report, evidence)
    runs.save_report(house.store, shift.lease, night.number, report)
    return report


def send_back(shift: Shift, night: Night, report: GateReport, taken: IntakeCounts) -> NightOutcome:
    """Ends a night that its gates refused: nothing is registered, each document waits or is quarantined."""
    store = shift.house.store
    deciding = next(result for result in report.results if result.required and result.verdict is report.verdict)
    sentence = f"{deciding.verdict}: {deciding.sentence}"
    records = [documents.get(store, document) for document in night.documents]
    allowed = shift.recipe.documents.max_attempts
    decisions = [decide(record, report.verdict, deciding, allowed) for record in records]
    runs.finish(store, shift.lease, night.number, NightState.REJECTED_BY_GATES, sentence, decisions)
    return NightOutcome(
        ended=Ended.REFUSED,
        sentence=sentence,
        night=night.number,
        documents=len(records),
        probes=len(exam_probes(documents.of(store, night.documents))),
        refused_documents=taken.refused,
        mended_documents=taken.mended,
        verdict=report.verdict,
        figures=report.recall,
        seconds=runs.get(store, night.number).seconds,
    )


def decide(record: DocumentRecord, verdict: Verdict, deciding: GateResult, allowed: int) -> DocumentDecision:
    """Where a refused document goes: harm is quarantined at once, doubt may try again until its attempts are used."""
    reason = f"{verdict}: {deciding.sentence}"
    return try_again(record, reason, 0 if verdict is Verdict.FAIL else allowed)


def try_again(record: DocumentRecord, reason: str, allowed: int) -> DocumentDecision:
    """Back to the queue, or quarantined once the document's attempts are used."""
    if record.attempts >= allowed:
        return DocumentDecision(document=record.id, state=DocumentState.QUARANTINED, reason=reason)
    return DocumentDecision(document=record.id, state=DocumentState.QUEUED, reason=f"waits to try again: {reason}")
