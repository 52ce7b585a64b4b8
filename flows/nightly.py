"""The nightly run: from new documents to a candidate that awaits its reviewer."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import RunOutcome
from flows.runs import acquire_run, conclude, ends_named, run_name
from flows.steps.outcomes import held_back, not_testable, nothing_to_learn, nothing_written
from gates.batches import Batch
from pipeline.types import RunKind


@flow(name="nightly", flow_run_name=run_name(RunKind.NIGHTLY))
@ends_named
def nightly(workspace: Path, documents: Path | None = None, proposer: str | None = None) -> RunOutcome:
    """Learns the new documents of a folder, evaluates what was learned, and leaves a candidate or a reason."""
    with acquire_run(workspace) as context:
        tasks.reconcile(context)
        taken = tasks.ingest(context, documents)
        if waiting := context.candidate_in_review():
            return held_back(waiting, taken)
        run = tasks.open_nightly_run(context, proposer, taken)
        if isinstance(run, Batch):
            return not_testable(run.lacking, taken)
        run = tasks.compare_with_known(context, run)
        if not run.documents:
            return nothing_to_learn(run, taken)
        tasks.write_validation_items(context, run)
        if not tasks.write_self_edits(context, run):
            return nothing_written(context, run, taken)
        run = tasks.without_unwritten(context, run)
        if run.finished:
            return not_testable([run.sentence], taken, run.number)
        tasks.select_edit_sets(context, run)
        update = tasks.plan_update(context, run)
        trained = tasks.train_adapter(context, run, update)
        return conclude(context, run, trained, taken)
