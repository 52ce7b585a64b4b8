"""Measures the candidate against production and the base model, and writes the report that its gates make of it."""

from dataclasses import replace

from flows.run_context import RunContext
from flows.services.eval_sets import eval_sets_of
from flows.services.report_pages import write_pages
from flows.services.serving_trial import try_serving
from flows.steps.contradictions import compared
from flows.steps.self_edits import dropped_of, kept_self_edits
from flows.steps.updates import stored_plan
from flows.steps.writer_training import WriterEvidence, writer_evidence, written_texts
from gates import evaluation
from gates.account import RunAccount, SetAside
from gates.evidence import Case, Evidence
from pipeline.self_edits import validation_items
from pipeline.types import (
    Bisection,
    Checkpoint,
    DocumentRecord,
    DocumentState,
    GateReport,
    ModelRef,
    Run,
    RunKind,
    RunState,
    Trained,
    Verdict,
)


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
        case, policy = case_of(context, run, trained), context.recipe.policy
        report, evidence = evaluation.evaluate(workspace.base, case, policy, workspace.settings.cache, workspace.judge)
        report = replace(report, bisection=_bisection_so_far(context, run))
    _write_pages(context, run, trained, report, evidence)
    context.session.runs.save_report(run.number, report)
    return report


def _stored_report(context: RunContext, run: Run, update: str) -> GateReport | None:
    intended = context.ledger.runs.get(run.number)
    digest = intended.report if intended.release is not None else None
    report = context.ledger.reports.get(digest) if digest else None
    if report is None or report.update != update or not context.workspace.has_report(run):
        return None
    return report


def _bisection_so_far(context: RunContext, run: Run) -> Bisection | None:
    """What was tried before in this run, as its newest report says."""
    digest = context.ledger.runs.get(run.number).report
    return context.ledger.reports.get(digest).bisection if digest else None


def case_of(context: RunContext, run: Run, trained: Trained) -> Case:
    """What the run's gates judge: its candidate and what that learned, production, and all that must not be lost."""
    workspace, ledger = context.workspace, context.ledger
    production, update = context.production(run), trained.manifest.update
    documents, learned = ledger.documents.of(run.documents), ledger.documents.learned()
    ref = ModelRef(base=production.model.base, adapter=trained.manifest.adapter)
    candidate = Checkpoint(ref, workspace.unapproved_adapter(trained.manifest))
    if run.kind is RunKind.WRITER_TRAINING:
        writing = writer_evidence(context, run, trained)
    else:
        validation = tuple(item for one in documents for item in validation_items(one))
        chosen_by = validation if context.recipe.self_edits.choosing else ()
        writing = WriterEvidence(validation=chosen_by, written=written_texts(kept_self_edits(context, run)))
    return Case(
        update=update,
        manifest=trained.manifest,
        candidate=candidate,
        production=workspace.checkpoint(production),
        examples=stored_plan(context, update).examples,
        suites=context.suites,
        kind=run.kind,
        documents=tuple(documents),
        earlier=eval_sets_of(learned),
        withdrawn=tuple(ledger.withdrawals.remembered()) if run.kind is RunKind.REBUILD else (),
        usual=tuple(one.body for _, known in learned for one in known),
        validation=writing.validation,
        writer_scores=writing.scores,
        written=writing.written,
        written_before=writing.written_before,
        served=try_serving(workspace, candidate, trained.manifest),
        contradictions=compared(context, run),
    )


def _write_pages(context: RunContext, run: Run, trained: Trained, report: GateReport, evidence: Evidence) -> None:
    # The number that a passing candidate will get: nobody else gives numbers while this run holds its lease.
    number = run.release or context.ledger.releases.listed()[-1].number + 1
    release = number if report.verdict is Verdict.PASS else None
    aside = context.ledger.documents.listed(DocumentState.QUARANTINED)
    learned = [context.ledger.documents.get(document) for document in run.documents]
    account = RunAccount(
        seconds=context.ledger.runs.get(run.number).seconds,
        steps=trained.steps,
        tokens=trained.tokens,
        set_aside=tuple(SetAside(name=_name(one), reason=one.reason) for one in reversed(aside)),
        remarks=tuple(SetAside(name=_name(one), reason=one.reason) for one in learned if one.reason),
        dropped=dropped_of(context, run),
    )
    write_pages(report, evidence, context.workspace.report_folder(run), account, release=release)


def _name(record: DocumentRecord) -> str:
    return record.name or (record.document.title if record.document else "") or record.id[:12]
