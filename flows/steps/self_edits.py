"""Lets the production model write its self-edits for the run's documents. What was sampled is stored as it comes."""

import logging

from flows.outcome import Ended, RunOutcome
from flows.run_context import RunContext
from flows.steps.eval_items import training_guard
from flows.steps.evaluation import try_again
from flows.steps.timing import timed
from pipeline import self_edits as writer
from pipeline.progress import step
from pipeline.types import DocumentState, IngestCounts, Run, RunState, SelfEdit

log = logging.getLogger("sealed")


def write_self_edits(context: RunContext, run: Run) -> tuple[SelfEdit, ...]:
    """The run's self-edits: those already in the ledger, and the missing ones written now by the production model."""
    workspace = context.workspace
    context.session.runs.move(run.number, RunState.WRITING)
    live = workspace.ledger.releases.get(run.parent)

    def save(edits: tuple[SelfEdit, ...]) -> None:
        context.session.self_edits.save(run.number, edits)

    with timed(context, run, "self_edits"), step("writing self-edits"):
        written = writer.write_self_edits(
            writer.WriterContext(
                engine=workspace.writer,
                rules=context.recipe.self_edits,
                writer=workspace.checkpoint(live),
                seed=context.recipe.seed,
                guard=training_guard(context),
            ),
            workspace.ledger.documents.of(run.documents),
            already={edit.document for edit in workspace.ledger.self_edits.of_run(run.number)},
            save=save,
        )
    for dropped in written.dropped:
        log.info("%s: %d of style %s dropped: %s", dropped.document[:12], dropped.count, dropped.style, dropped.reason)
    return workspace.ledger.self_edits.of_run(run.number)


def nothing_written(context: RunContext, run: Run, taken: IngestCounts) -> RunOutcome:
    """Ends a run whose every note was dropped: its documents wait, until their attempts are used."""
    reason = "no note about it could be used, not even its own text: see the log of the run, or its questions"
    allowed = context.recipe.documents.max_attempts
    records = [context.workspace.ledger.documents.get(document) for document in run.documents]
    decisions = [try_again(record, reason, allowed) for record in records]
    aside = sum(decision.state is DocumentState.QUARANTINED for decision in decisions)
    sentence = (
        f"none of {len(decisions)} documents gave anything to train on: {len(decisions) - aside} wait to try again, "
        f"{aside} are quarantined"
    )
    context.session.runs.finish(run.number, RunState.FAILED, sentence, decisions)
    return RunOutcome(
        ended=Ended.UNWRITTEN,
        sentence=sentence,
        run=run.number,
        documents=len(decisions),
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )
