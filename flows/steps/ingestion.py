"""Reads the incoming folder into the ledger, and opens the run: a new one, or the one that a kill interrupted."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from flows.run_context import RunContext
from flows.steps.outcomes import NOTHING_TAKEN
from flows.steps.registration import lost
from flows.steps.scheduler import tidy_scheduler
from pipeline.errors import BadInput
from pipeline.progress import report, step
from pipeline.types import IngestCounts, Release, ReleaseState, Run, RunKind, WriterTrainingRequest
from registry import Reconciled


def reconcile(context: RunContext) -> Reconciled:
    """Gives up a candidate that nobody reviewed in time, and makes what was left behind follow the ledger.

    That is MLflow and the servers, and in Prefect the runs that were killed.
    """
    context.workspace.ledger.deployments.expire(approval_days=context.workspace.settings.approval_days)
    tidy_scheduler(context.workspace)
    return context.workspace.reconcile()


def ingest(context: RunContext, folder: Path | None) -> IngestCounts:
    """Stores the new documents of `folder` (default: the workspace's incoming). Raises BadInput if it is no folder."""
    from pipeline.documents import ingest_in_batches, read_folder

    source = folder or context.workspace.settings.incoming
    if not source.is_dir():
        raise BadInput(f"{source} is not a folder. Give the folder that holds the run's documents.")
    rules = context.recipe.documents
    started = time.monotonic()
    # All of one reading wait equally long: runs take the oldest documents, by name.
    at, counts = datetime.now(UTC), NOTHING_TAKEN
    with step("ingesting documents"):
        report(0, 1)
        for batch in ingest_in_batches(read_folder(source, rules.max_bytes), rules):
            counts += context.workspace.ledger.documents.accept(batch, at)
        report(1, 1)
    return replace(counts, seconds=time.monotonic() - started)


def candidate_in_review(context: RunContext) -> Release | None:
    """The candidate that still waits for a reviewer: while there is one, no new run starts."""
    waiting = [
        release for release in context.workspace.ledger.releases.listed() if release.state is ReleaseState.CANDIDATE
    ]
    return waiting[-1] if waiting else None


def open_run(context: RunContext, proposer: str, taken: IngestCounts) -> Run:
    """Resumes the unfinished run if it still stands on production and on this recipe, else begins a new one.

    A run that was registering is given up, too, where its adapter or its report is gone.
    """
    recipe = context.recipe
    if (unfinished := resumed(context, RunKind.NIGHTLY)) is not None:
        return unfinished
    run = context.session.runs.begin(limit=recipe.documents.per_run, proposer=proposer, recipe=recipe.digest)
    context.session.runs.add_seconds(run.number, "ingest", taken.seconds)
    return run


def resumed(context: RunContext, kind: RunKind, asked: WriterTrainingRequest | None = None) -> Run | None:
    """The unfinished run, where it is of this kind, `asked` for so, and may go on; one that may not is given up."""
    unfinished = context.workspace.ledger.runs.unfinished()
    if unfinished is None:
        return None
    production = context.workspace.ledger.releases.production().number
    stale = (
        _of_another_kind(unfinished, kind, asked)
        or _no_longer_valid(unfinished, production, context.recipe.digest)
        or lost(context, unfinished)
    )
    if stale is None:
        return unfinished
    context.session.runs.abandon(unfinished.number, stale)
    return None


def _of_another_kind(run: Run, kind: RunKind, asked: WriterTrainingRequest | None) -> str | None:
    if run.kind is not kind:
        return f"a {kind} run began while this {run.kind} one was interrupted"
    if run.asked != asked:
        return f"a {kind} run that was asked for otherwise began while this one was interrupted"
    return None


def _no_longer_valid(run: Run, production: int, recipe: str) -> str | None:
    if run.parent != production:
        return f"production moved from release {run.parent} to {production} while this run was interrupted"
    if run.recipe != recipe:
        return "the recipe changed while this run was interrupted"
    return None
