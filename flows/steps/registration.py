"""Makes a passing candidate a release: intent in the ledger, version in MLflow, then the record; then it waits."""

from flows.outcome import Ended, RunOutcome
from flows.run_context import RunContext
from flows.steps.reports import REPORT, SUMMARY, report_folder
from flows.steps.timing import timed
from gates.evidence import held_out_items
from pipeline.adapters.saving import retain
from pipeline.errors import CorruptAdapter, InternalError
from pipeline.progress import report as report_progress
from pipeline.progress import step
from pipeline.types import Figure, GateReport, IngestCounts, Release, Run, Trained
from registry.mlflow.releases import Registration, register


def lost(context: RunContext, run: Run) -> str | None:
    """What a run that was killed while registering lacks on disk to go on, in words; None: it has all it needs."""
    from pipeline.adapters.saving import trained_adapter

    if run.release is None or not run.update:
        return None
    workspace = context.workspace
    if trained_adapter(workspace.identity, run.update, workspace.folder_of(run.update)) is None:
        return "its adapter was gone or damaged when this run was resumed"
    if not all((report_folder(workspace, run) / name).is_file() for name in (REPORT, SUMMARY)):
        return "its report was gone when this run was resumed"
    return None


def recall_candidate(context: RunContext, run: Run) -> tuple[Trained, GateReport]:
    """What a run had trained and judged before it was killed while registering. Raises CorruptAdapter."""
    from pipeline.adapters.saving import trained_adapter

    workspace = context.workspace
    if not run.update or not run.report:
        raise InternalError(f"run {run.number} registers a release without update or report. Report it.")
    trained = trained_adapter(workspace.identity, run.update, workspace.folder_of(run.update))
    if trained is None:
        raise CorruptAdapter(
            f"the adapter of run {run.number} is gone or damaged. Run `sealed update` again: the run then begins anew."
        )
    return trained, workspace.ledger.reports.get(run.report)


def register_candidate(context: RunContext, run: Run, trained: Trained, report: GateReport) -> Release:
    """Registers the candidate: killed at any point and run again, it ends with exactly one MLflow version."""
    workspace = context.workspace
    with timed(context, run, "registry"), step("registering the candidate"):
        report_progress(0, 1)
        intended = context.session.candidates.intend(run.number, trained.manifest)
        version = register(workspace.tracking, _registration(context, run, intended, trained, report))
        recorded = context.session.candidates.record(run.number, version)
        report_progress(1, 1)
    drop_unneeded_adapters(context)
    return recorded


def await_review(
    context: RunContext, run: Run, release: Release, report: GateReport, taken: IngestCounts
) -> RunOutcome:
    """The run ends here; the candidate's row waits for a person, no process does."""
    workspace = context.workspace
    workspace.reconcile()
    learned = workspace.ledger.documents.of(run.documents)
    return RunOutcome(
        ended=Ended.WAITING,
        sentence=f"release {release.number} passed its gates and waits for review: "
        f"`sealed show {release.number}`, then `sealed approve {release.number}`",
        run=run.number,
        release=release.number,
        documents=len(learned),
        eval_items=len(held_out_items(learned)),
        refused_documents=taken.refused,
        updated_documents=taken.updated,
        verdict=report.verdict,
        figures=report.recall,
        seconds=workspace.ledger.runs.get(run.number).seconds,
    )


def _registration(
    context: RunContext, run: Run, release: Release, trained: Trained, report: GateReport
) -> Registration:
    workspace = context.workspace
    folder = report_folder(workspace, run)
    manifest = trained.manifest
    training = (
        Figure(name="final_loss", value=trained.final_loss),
        Figure(name="training_steps", value=trained.steps),
        Figure(name="training_tokens", value=trained.tokens),
    )
    return Registration(
        release=release,
        adapter=workspace.folder_of(release.update),
        report=folder,
        metrics=(*report.recall, *training),
        params=(
            ("recipe", manifest.recipe),
            ("seed", str(context.recipe.seed)),
            ("rank", str(manifest.rank)),
            ("alpha", str(manifest.alpha)),
            ("parent_release", str(release.parent)),
            ("run", str(run.number)),
            ("kind", run.kind.value),
            ("documents", str(len(run.documents))),
        ),
        tags=(("base", manifest.base), ("adapter", manifest.adapter), ("manifest", manifest.digest)),
        description=(folder / SUMMARY).read_text(encoding="utf-8"),
    )


def drop_unneeded_adapters(context: RunContext) -> None:
    """Deletes local adapters that no live, waiting or recent release needs; MLflow keeps every registered one."""
    workspace = context.workspace
    retain(workspace.settings.adapters, {release.update for release in workspace.ledger.releases.needed()})
