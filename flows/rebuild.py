"""The rebuild: all that the ledger holds as learned is trained anew from the base model, without what was withdrawn."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import RunOutcome
from flows.runs import acquire_run, conclude, ends_named, run_name
from flows.steps.outcomes import held_back, nothing_left
from pipeline.types import RunKind


@flow(name="rebuild", flow_run_name=run_name(RunKind.REBUILD))
@ends_named
def rebuild(workspace: Path, proposer: str | None = None) -> RunOutcome:
    """Learns all that is learned and not withdrawn from the base model; leaves a candidate or a reason."""
    with acquire_run(workspace) as context:
        tasks.reconcile(context)
        if waiting := context.candidate_in_review():
            return held_back(waiting)
        if not any(edit.examples for edit in context.ledger.self_edits.learned()):
            return nothing_left()
        run = tasks.open_run(context, RunKind.REBUILD, proposer)
        update = tasks.plan_update(context, run)
        trained = tasks.train_adapter(context, run, update)
        return conclude(context, run, trained)
