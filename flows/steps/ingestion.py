"""How a run begins: servers are made to match the ledger, documents are ingested, and a run is opened or resumed."""

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from flows.outcome import NOTHING_INGESTED
from flows.run_context import RunContext
from flows.services import adoption
from flows.services.batches import next_batch
from flows.services.proposal import proposer_of
from flows.services.scheduler import tidy_scheduler
from flows.steps.registration import lost
from gates.batches import Batch
from gates.wording import counted, listed
from pipeline.documents import ingest_in_batches, read_folder
from pipeline.documents.floods import FloodGuard
from pipeline.files import expect_folder, remove_file
from pipeline.foreign_statements import ForeignStatements
from pipeline.progress import step
from pipeline.types import Document, DocumentState, IngestCounts, QueuedDocument, Run, RunKind, WriterTrainingRequest
from registry import Reconciled

log = logging.getLogger("sealed")
_SUPERSEDED = "its file was changed before a run took it: what the file holds now waits instead"
_LEARNABLE = frozenset({DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED, DocumentState.REVERTED})


def reconcile(context: RunContext) -> Reconciled:
    """Adopts what people decided in MLflow, voids a candidate that nobody reviewed in time, and makes MLflow match the
    ledger, and Prefect the lease.

    In Prefect the runs that were killed end as crashed. What fails is reported and tried again by the next run.
    """
    adoption.adopt(context.workspace)
    context.ledger.deployments.expire(approval_days=context.workspace.settings.approval_days)
    tidy_scheduler(context.workspace)
    return context.workspace.reconcile()


def ingest(context: RunContext, folder: Path | None) -> IngestCounts:
    """Stores the new documents of `folder` (default: the workspace's incoming), and warns of those it refuses.

    Of a file in incoming that was changed while it waits, the earlier content is quarantined.

    Raises BadInput if it is no folder.
    """
    source = folder or context.workspace.settings.incoming
    expect_folder(source, "the run's documents")
    rules = context.recipe.documents
    started = time.monotonic()
    # All documents of one reading get the same time: runs take the oldest documents, by name.
    at, counts = datetime.now(UTC), NOTHING_INGESTED
    floods, foreign = FloodGuard(rules.max_alike), ForeignStatements(_learnable(context))
    files, offered = set[str](), set[str]()
    # Of incoming alone: another folder may hold another file of that name.
    waited = context.ledger.documents.queued() if folder is None else ()
    with step("ingesting documents"):
        for batch in ingest_in_batches(read_folder(source, rules.max_bytes), rules):
            kept = foreign.without_guards(floods.without_surplus(batch))
            counts += context.ledger.documents.accept(kept, at)
            files.update(batch.files)
            offered.update(document.id for document in batch.accepted)
    if counts.refused:
        log.warning("%s", _told(counts))
    if waited:
        _set_aside(context, superseded(waited, context.ledger.documents.queued(), files, offered))
    return replace(counts, seconds=time.monotonic() - started)


def superseded(
    waited: Sequence[QueuedDocument], queue: Sequence[QueuedDocument], files: Collection[str], offered: Collection[str]
) -> tuple[QueuedDocument, ...]:
    """Those of the documents that `waited` whose file brought another one into the queue, and no longer holds them.

    `offered`: ids of all that was read now, under any name. A row of a file of many documents is never superseded: rows
    move when one is added. Nor is what a person queued again after it was: its file brings nothing new then.
    """
    before = {one.id for one in waited}
    brought = {one.name for one in queue if one.id not in before and one.name in files}
    return tuple(one for one in waited if one.name in brought and one.id not in offered)


def _set_aside(context: RunContext, earlier: Sequence[QueuedDocument]) -> None:
    for one in earlier:
        context.ledger.documents.quarantine(one.id, _SUPERSEDED)
    if earlier:
        named = listed([f"{one.name} ({one.id[:12]})" for one in earlier])
        log.warning(
            "changed files: their earlier content is quarantined, the new one waits: %s. `sealed documents requeue ID` "
            "lets a run learn the earlier one too",
            named,
        )


def _told(counts: IngestCounts) -> str:
    known = f", {counts.duplicates:,} known already or the same as another" if counts.duplicates else ""
    return (
        f"{counted(counts.queued, 'new document')}, {counts.refused:,} quarantined{known}. `sealed documents --state "
        "quarantined` says why"
    )


def _learnable(context: RunContext) -> Iterator[Document]:
    """The documents of the ledger that a run learns, or that production knows."""
    for record in context.ledger.documents.listed():
        if record.document is not None and record.state in _LEARNABLE:
            yield record.document


def open_nightly_run(
    context: RunContext, proposer: str | None = None, taken: IngestCounts = NOTHING_INGESTED
) -> Run | Batch:
    """Resumes the unfinished nightly run while it is still valid, else begins one on the oldest documents.

    Where a run could not pass whatever it learned, none begins, and the batch says why. Corrections that are too few
    wait for others. `taken` is what was ingested. Valid, and what is raised: as `open_run` has it.
    """
    named = proposer_of(context.workspace.settings, proposer)
    if (unfinished := _resumed(context, RunKind.NIGHTLY, None)) is not None:
        return unfinished
    batch = next_batch(context.workspace, context.recipe)
    if batch.lacking and not batch.documents:
        return batch
    for sentence in batch.lacking:
        log.warning("%s. The run learns other documents meanwhile", sentence)
    _forget_plans(context)
    run = context.session.runs.begin(documents=batch.documents, proposer=named, recipe=context.recipe.digest)
    context.session.runs.add_seconds(run.number, "ingest", taken.seconds)
    return run


def open_run(
    context: RunContext, kind: RunKind, proposer: str | None = None, asked: WriterTrainingRequest | None = None
) -> Run:
    """Resumes the unfinished rebuild or writer training while it is still valid, else begins a new one.

    Valid: production and recipe are those that it began with, it was `asked` for alike, and, if it was killed while it
    registered its release, its adapter and its report are there. Raises what `proposer_of` raises where `proposer`
    cannot be the one who proposes.
    """
    named = proposer_of(context.workspace.settings, proposer)
    if (unfinished := _resumed(context, kind, asked)) is not None:
        return unfinished
    _forget_plans(context)
    runs, recipe = context.session.runs, context.recipe.digest
    if kind is RunKind.REBUILD:
        return runs.begin_rebuild(proposer=named, recipe=recipe)
    return runs.begin_writer_training(proposer=named, recipe=recipe, asked=asked or WriterTrainingRequest())


def _forget_plans(context: RunContext) -> None:
    """Removes what ended runs planned, but for production's plan: validating the gates repeats its training."""
    production = context.ledger.releases.production()
    for file in context.workspace.plans.glob("*"):
        if file.stem != production.update:
            remove_file(file)


def _resumed(context: RunContext, kind: RunKind, asked: WriterTrainingRequest | None) -> Run | None:
    """The unfinished run if it may go on; one that may not is abandoned."""
    unfinished = context.ledger.runs.unfinished()
    if unfinished is None:
        return None
    production = context.ledger.releases.production().number
    invalid = (
        _of_another_kind(unfinished, kind, asked)
        or _no_longer_valid(unfinished, production, context.recipe.digest)
        or lost(context, unfinished)
    )
    if invalid is None:
        return unfinished
    context.session.runs.abandon(unfinished.number, invalid)
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
