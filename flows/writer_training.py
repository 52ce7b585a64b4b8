"""The practice: the writer learns to write self-edits that teach more, and is released as any update is.

Reads top to bottom as the release story. A killed one is resumed by the next `sealed train-writer`, as it was asked
for.
"""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import RunOutcome
from flows.run_context import acquire_run
from flows.runs import ends_named, run_name
from flows.steps.artifacts import publish
from flows.steps.ingestion import candidate_in_review
from flows.steps.outcomes import NOTHING_TAKEN, busy, held_back
from flows.steps.writer_request import as_asked, writer_request
from flows.steps.writer_training import nothing_helped, nothing_to_practise
from pipeline.actors import proposer_named
from pipeline.errors import LockedError
from pipeline.types import RunKind, Verdict


@flow(name="writer-training", flow_run_name=run_name(RunKind.WRITER_TRAINING))
@ends_named
def train_writer(
    workspace: Path,
    documents: Path | None = None,
    rounds: int | None = None,
    method: str | None = None,
    proposer: str | None = None,
) -> RunOutcome:
    """Practises writing on documents that are not learned by it; leaves a candidate or a reason."""
    try:
        with acquire_run(workspace) as usual:
            asked = writer_request(usual, documents, rounds, method)
            context = as_asked(usual, asked)
            tasks.reconcile(context)
            if waiting := candidate_in_review(context):
                return held_back(waiting)
            run = tasks.open_writer_training(context, asked, proposer_named(proposer))
            if run.release is not None:  # killed while registering: it was trained and judged already
                trained, report = tasks.recall_candidate(context, run)
            else:
                split = tasks.split_documents(context, run)
                if not split.held_out:
                    return nothing_to_practise(context, run, split)
                practised = tasks.practise(context, run, split)
                if practised is None:
                    return nothing_helped(context, run)
                plan, trained = practised
                writing = tasks.examine_writing(context, run, split, trained)
                report = tasks.judge(context, run, plan, trained, rewarded=split.questions, writing=writing)
                publish(context, run, report)
            if report.verdict is not Verdict.PASS:
                return tasks.reject(context, run, report, NOTHING_TAKEN)
            release = tasks.register_candidate(context, run, trained, report)
            return tasks.await_review(context, run, release, report, NOTHING_TAKEN)
    except LockedError as other:
        return busy(other)
