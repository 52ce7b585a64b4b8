"""Makes a passing candidate a release: intent in the ledger, version in MLflow, then the record."""

from flows.run_context import RunContext
from flows.services.registrations import registration_of
from pipeline.adapters import saving
from pipeline.types import GateReport, Release, Run, Trained
from registry.mlflow import releases as mlflow_releases


def lost(context: RunContext, run: Run) -> str | None:
    """What a run that was killed while registering lacks on disk to go on, in words; None: it has all it needs."""
    if run.release is None or not run.update:
        return None
    workspace = context.workspace
    if saving.trained_adapter(workspace.identity, run.update, workspace.folder_of(run.update)) is None:
        return "its adapter was gone or damaged when this run was resumed"
    if not workspace.has_report(run):
        return "its report was gone when this run was resumed"
    return None


def register(context: RunContext, run: Run, trained: Trained, report: GateReport) -> Release:
    """Registers the candidate: killed at any point and run again, it ends with exactly one MLflow version.

    Then deletes local adapters that no release needs any more; MLflow keeps every registered one.
    """
    workspace = context.workspace
    with context.stage(run, "registry", "registering the candidate"):
        intended = context.session.candidates.intend(run.number, trained.manifest)
        registration = registration_of(workspace, run, intended, trained, report)
        version = mlflow_releases.register(workspace.tracking, registration)
        recorded = context.session.candidates.record(run.number, version)
    context.retain_adapters()
    return recorded
