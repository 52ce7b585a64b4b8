"""Puts the candidate before the gates, and sends a refused run's documents where they belong."""

from flows.outcome import Ended, RunOutcome
from flows.run_context import RunContext
from flows.steps.reports import write_run_report
from flows.steps.timing import timed
from gates.evidence import Case, ReleaseEvalSet, held_out_items
from gates.suite import read_suites
from pipeline.self_edits.edit_sets import validation_items
from pipeline.types import (
    Checkpoint,
    DocumentDecision,
    DocumentRecord,
    DocumentState,
    EvalItem,
    GateReport,
    GateResult,
    IngestCounts,
    ModelRef,
    Run,
    RunKind,
    RunState,
    Scores,
    Trained,
    UpdatePlan,
    Verdict,
)


def judge(
    context: RunContext,
    run: Run,
    plan: UpdatePlan,
    trained: Trained,
    rewarded: tuple[EvalItem, ...] = (),
    writing: tuple[Scores, Scores] | None = None,
) -> GateReport:
    """Measures the candidate against production and the base model, and keeps the report.

    `rewarded` and `writing` are writer training's: see `gates.evidence.Case`.
    """
    from gates.evaluation import evaluate

    workspace = context.workspace
    context.session.runs.move(run.number, RunState.GATING)
    live = workspace.ledger.releases.get(run.parent)
    learned = workspace.ledger.documents.of(run.documents)
    with timed(context, run, "gates"):
        chose = context.recipe.self_edits.choosing
        case = Case(
            update=plan.update.id,
            manifest=trained.manifest,
            candidate=Checkpoint(
                ModelRef(base=live.model.base, adapter=trained.manifest.adapter), workspace.folder_of(plan.update.id)
            ),
            production=workspace.checkpoint(live),
            examples=plan.examples,
            suites=read_suites(workspace.settings.suites),
            kind=run.kind,
            documents=tuple(learned),
            earlier=tuple(
                ReleaseEvalSet(release=number, eval_items=held_out_items(taught))
                for number, taught in workspace.ledger.documents.learned()
            ),
            withdrawn=tuple(workspace.ledger.withdrawals.remembered()) if run.kind is RunKind.REBUILD else (),
            validation=(*rewarded, *(item for document in learned for item in validation_items(document) if chose)),
            writer_scores=writing,
        )
        report, evidence = evaluate(workspace.base, case, context.recipe.policy, workspace.settings.cache)
        write_run_report(workspace, run, report, evidence)
    context.session.runs.save_report(run.number, report)
    return report


def reject(context: RunContext, run: Run, report: GateReport, taken: IngestCounts) -> RunOutcome:
    """Ends a run that its gates refused: nothing is registered, each document waits or is quarantined."""
    ledger = context.workspace.ledger
    deciding = next(result for result in report.results if result.required and result.verdict is report.verdict)
    sentence = f"{deciding.verdict}: {deciding.sentence}"
    records = [ledger.documents.get(document) for document in run.documents]
    allowed = context.recipe.documents.max_attempts
    decisions = [decide(record, report.verdict, deciding, allowed) for record in records]
    context.session.runs.finish(run.number, RunState.REJECTED_BY_GATES, sentence, decisions)
    return RunOutcome(
        ended=Ended.REFUSED,
        sentence=sentence,
        run=run.number,
        documents=len(records),
        eval_items=len(held_out_items(ledger.documents.of(run.documents))),
        refused_documents=taken.refused,
        updated_documents=taken.updated,
        verdict=report.verdict,
        figures=report.recall,
        seconds=ledger.runs.get(run.number).seconds,
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
