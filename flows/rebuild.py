"""The rebuild: the whole ledger learned anew from the base, without what was withdrawn. Then released as any run is.

Reads top to bottom as the release story. A killed one is resumed by the next `sealed rebuild`.
"""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import RunOutcome
from flows.run_context import acquire_run
from flows.runs import ends_named, run_name
from flows.steps.artifacts import publish
from flows.steps.ingestion import candidate_in_review
from flows.steps.outcomes import NOTHING_TAKEN, busy, held_back, nothing_left
from flows.steps.rebuild import stored_self_edits
from pipeline.actors import proposer_named
from pipeline.errors import LockedError
from pipeline.types import RunKind, Verdict


@flow(name="rebuild", flow_run_name=run_name(RunKind.REBUILD))
@ends_named
def rebuild(workspace: Path, proposer: str | None = None) -> RunOutcome:
    """Learns all that is learned and not withdrawn from the base; leaves a candidate or a reason."""
    try:
        with acquire_run(workspace) as context:
            tasks.reconcile(context)
            if waiting := candidate_in_review(context):
                return held_back(waiting)
            edits = stored_self_edits(context)
            if not any(edit.examples for edit in edits):
                return nothing_left()
            run = tasks.open_rebuild(context, proposer_named(proposer))
            if run.release is not None:  # killed while registering: it was trained and judged already
                trained, report = tasks.recall_candidate(context, run)
            else:
                plan = tasks.plan_rebuild(context, run, edits)
                trained = tasks.train_adapter(context, run, plan)
                report = tasks.judge(context, run, plan, trained)
                publish(context, run, report)
            if report.verdict is not Verdict.PASS:
                return tasks.reject(context, run, report, NOTHING_TAKEN)
            release = tasks.register_candidate(context, run, trained, report)
            return tasks.await_review(context, run, release, report, NOTHING_TAKEN)
    except LockedError as other:
        return busy(other)
