"""The run: from new documents to a candidate that awaits its reviewer. Reads top to bottom as the release story."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import RunOutcome
from flows.run_context import acquire_run
from flows.runs import ends_named, run_name
from flows.steps.artifacts import publish
from flows.steps.ingestion import candidate_in_review
from flows.steps.outcomes import busy, held_back, nothing_to_learn
from pipeline.actors import proposer_named
from pipeline.errors import LockedError
from pipeline.types import RunKind, Verdict


@flow(name="nightly", flow_run_name=run_name(RunKind.NIGHTLY))
@ends_named
def nightly(workspace: Path, documents: Path | None = None, proposer: str | None = None) -> RunOutcome:
    """Learns the new documents of a folder, judges what was learned, and leaves a candidate or a reason."""
    try:
        with acquire_run(workspace) as context:
            tasks.reconcile(context)
            taken = tasks.ingest(context, documents)
            if waiting := candidate_in_review(context):
                return held_back(waiting, taken)
            run = tasks.open_run(context, proposer_named(proposer), taken)
            if not run.documents:
                return nothing_to_learn(run, taken)
            if run.release is not None:  # killed while registering: it was trained and judged already
                trained, report = tasks.recall_candidate(context, run)
            else:
                tasks.write_items(context, run)
                edits = tasks.write_self_edits(context, run)
                if not any(edit.examples for edit in edits):
                    return tasks.nothing_written(context, run, taken)
                kept = tasks.select_edit_sets(context, run, edits)
                plan = tasks.plan_update(context, run, kept)
                trained = tasks.train_adapter(context, run, plan)
                report = tasks.judge(context, run, plan, trained)
                publish(context, run, report)
            if report.verdict is not Verdict.PASS:
                return tasks.reject(context, run, report, taken)
            release = tasks.register_candidate(context, run, trained, report)
            return tasks.await_review(context, run, release, report, taken)
    except LockedError as other:
        return busy(other)
