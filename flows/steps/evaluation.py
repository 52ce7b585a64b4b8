"""Measures the candidate against production and the base model, and writes the report that its gates make of it."""

from flows.run_context import RunContext
from flows.services.gate_plans import earlier_eval_sets
from flows.services.report_pages import write_pages
from flows.steps.updates import stored_plan
from flows.steps.writer_training import writer_evidence
from gates import evaluation
from gates.evidence import Case, Evidence
from pipeline.self_edits import validation_items
from pipeline.types import Checkpoint, GateReport, ModelRef, Run, RunKind, RunState, Trained, Verdict


def evaluate(context: RunContext, run: Run, trained: Trained) -> GateReport:
    """The gates' report on the candidate: the stored one once a release was intended on it, else a new one.

    Until then a resumed run is judged by the suites and gates of today; what was answered already is in the cache of
    scores. The report is kept in the ledger; its pages for people are in the workspace, and later beside the adapter.
    """
    if (stored := _stored_report(context, run, trained.manifest.update)) is not None:
        return stored
    workspace = context.workspace
    context.session.runs.move(run.number, RunState.GATING)
    with context.stage(run, "gates"):
        case = _case(context, run, trained)
        policy = context.recipe.policy
        report, evidence = evaluation.evaluate(workspace.base, case, policy, workspace.settings.cache, workspace.judge)
        _write_pages(context, run, report, evidence)
    context.session.runs.save_report(run.number, report)
    return report


def _stored_report(context: RunContext, run: Run, update: str) -> GateReport | None:
    intended = context.ledger.runs.get(run.number)
    digest = intended.report if intended.release is not None else None
    report = context.ledger.reports.get(digest) if digest else None
    if report is None or report.update != update or not context.workspace.has_report(run):
        return None
    return report


def _case(context: RunContext, run: Run, trained: Trained) -> Case:
    workspace, ledger = context.workspace, context.ledger
    production, update = context.production(run), trained.manifest.update
    documents = ledger.documents.of(run.documents)
    validation = tuple(item for one in documents for item in validation_items(one))
    validation, scores = validation if context.recipe.self_edits.choosing else (), None
    if run.kind is RunKind.WRITER_TRAINING:
        validation, scores = writer_evidence(context, run, trained)
    return Case(
        update=update,
        manifest=trained.manifest,
        candidate=Checkpoint(
            ModelRef(base=production.model.base, adapter=trained.manifest.adapter),
            workspace.unapproved_adapter(trained.manifest),
        ),
        production=workspace.checkpoint(production),
        examples=stored_plan(context, update).examples,
        suites=workspace.suites,
        kind=run.kind,
        documents=tuple(documents),
        earlier=earlier_eval_sets(workspace),
        withdrawn=tuple(ledger.withdrawals.remembered()) if run.kind is RunKind.REBUILD else (),
        validation=validation,
        writer_scores=scores,
    )


def _write_pages(context: RunContext, run: Run, report: GateReport, evidence: Evidence) -> None:
    # The number that a passing candidate will get: nobody else gives numbers while this run holds its lease.
    number = run.release or context.ledger.releases.listed()[-1].number + 1
    release = number if report.verdict is Verdict.PASS else None
    write_pages(report, evidence, context.workspace.report_folder(run), release=release)
