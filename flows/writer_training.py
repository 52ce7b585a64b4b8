"""Writer training: the model learns to write self-edits that teach more, and is released as any update is."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import RunOutcome
from flows.runs import acquire_run, conclude, ends_named, run_name
from flows.steps.outcomes import held_back, no_round_helped, too_few_documents
from flows.steps.writer_request import as_asked, writer_request
from pipeline.types import RunKind


@flow(name="writer-training", flow_run_name=run_name(RunKind.WRITER_TRAINING))
@ends_named
def train_writer(
    workspace: Path,
    documents: Path | None = None,
    rounds: int | None = None,
    method: str | None = None,
    proposer: str | None = None,
) -> RunOutcome:
    """Trains the writer on documents that are not learned by it; leaves a candidate or a reason."""
    with acquire_run(workspace) as usual:
        asked = writer_request(usual, documents, rounds, method)
        context = as_asked(usual, asked)
        tasks.reconcile(context)
        if waiting := context.candidate_in_review():
            return held_back(waiting)
        run = tasks.open_run(context, RunKind.WRITER_TRAINING, proposer, asked=asked)
        split = tasks.split_documents(context, run)
        if not split.held_out:
            return too_few_documents(context, run, split.train)
        trained = tasks.train_writer(context, run)
        if trained is None:
            return no_round_helped(context, run)
        return conclude(context, run, trained)
