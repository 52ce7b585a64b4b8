"""Lets the production model write about the run's documents, and keeps the best edit set of each.

What is sampled and selected is stored in the ledger as it comes; a run whose update is planned has written it all.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.run_context import RunContext
from flows.steps.guard import held_out, never_trained_on, training_guard
from flows.steps.run_files import read_value, write_value
from pipeline import self_edits as writer
from pipeline.inner_loop import EvalContext
from pipeline.leakage import TrainingGuard
from pipeline.self_edits import best_of_n
from pipeline.types import Dropped, EvalItem, Origin, Release, Run, RunState, Selection, SelfEdit, Written

log = logging.getLogger("sealed")


def writer_context(context: RunContext, release: Release, guard: TrainingGuard) -> writer.WriterContext:
    """The context in which a release's model writes."""
    return writer.WriterContext(
        engine=context.workspace.writer,
        rules=context.recipe.self_edits,
        writer=context.workspace.checkpoint(release),
        seed=context.recipe.seed,
        guard=guard,
        question_prompt=context.recipe.policy.question_prompt,
    )


def write_validation_items(context: RunContext, run: Run) -> int:
    """Where edit sets are to be compared, lets the model write validation items for documents that bring none.

    They are written before any self-edit, so that no self-edit asks one: where there is a self-edit, this was done.
    Returns how many items of the run's documents the model wrote.
    """
    ledger = context.ledger
    if context.recipe.self_edits.choosing and not ledger.self_edits.of_run(run.number):
        context.session.runs.move(run.number, RunState.WRITING)

        def save(written: Mapping[str, tuple[EvalItem, ...]]) -> None:
            context.session.documents.add_items(written)

        with context.stage(run, "eval_items", "writing validation questions"):
            guard = TrainingGuard(questions=held_out(context))
            writing = writer_context(context, context.production(run), guard)
            writer.write_items(writing, ledger.documents.of(run.documents), save=save)
    items = [item for document in ledger.documents.of(run.documents) for item in document.eval_items]
    return sum(item.origin is Origin.MODEL for item in items)


def write_self_edits(context: RunContext, run: Run) -> int:
    """Lets the production model write the self-edits that the ledger does not hold yet.

    Returns how many training examples the run's self-edits hold.
    """
    if run.update is None:
        _write_missing(context, run)
    return sum(len(edit.examples) for edit in context.ledger.self_edits.of_run(run.number))


def _write_missing(context: RunContext, run: Run) -> None:
    context.session.runs.move(run.number, RunState.WRITING)

    def save(written: Written) -> None:
        remember_dropped(context, run, written.dropped)
        context.session.self_edits.save(run.number, written.edits)

    with context.stage(run, "self_edits", "writing self-edits"):
        written = writer.write_self_edits(
            writer_context(context, context.production(run), training_guard(context)),
            context.ledger.documents.of(run.documents),
            already={edit.document for edit in context.ledger.self_edits.of_run(run.number)},
            save=save,
        )
    for dropped in written.dropped:
        log.info("%s: %d of style %s dropped: %s", dropped.document[:12], dropped.count, dropped.style, dropped.reason)


def dropped_of(context: RunContext, run: Run) -> tuple[Dropped, ...]:
    """What was dropped of what was written in this run."""
    noted = read_value(_dropped_file(context, run), Written)
    return noted.dropped if noted else ()


def remember_dropped(context: RunContext, run: Run, dropped: Sequence[Dropped]) -> None:
    """Keeps what was dropped for the report. What a killed run had noted of these documents is replaced."""
    again = {one.document for one in dropped}
    before = (one for one in dropped_of(context, run) if one.document not in again)
    write_value(_dropped_file(context, run), Written(edits=(), dropped=(*before, *dropped)), str(run.number))


def _dropped_file(context: RunContext, run: Run) -> Path:
    return context.workspace.plans / f"dropped-{run.number}.json"


def select_edit_sets(context: RunContext, run: Run) -> int:
    """Compares the edit sets of each document by the validation items, where the recipe has several.

    Each selection is stored. Returns how many there are.
    """
    ledger = context.ledger
    if context.recipe.self_edits.choosing and run.update is None:

        def save(selections: tuple[Selection, ...]) -> None:
            context.session.self_edits.save_selections(run.number, selections)

        start = context.workspace.checkpoint(context.production(run))
        with context.stage(run, "selection", "selecting edit sets"):
            made = best_of_n.select_edit_sets(
                EvalContext(base=context.workspace.base, recipe=context.recipe, start=start),
                ledger.documents.of(run.documents),
                ledger.self_edits.of_run(run.number),
                guard=TrainingGuard(questions=never_trained_on(context)),
                already={selection.document for selection in ledger.self_edits.selections_of(run.number)},
                save=save,
            )
        for selection in made:
            log.info("%s: %s", selection.document[:12], selection.sentence)
    return len(ledger.self_edits.selections_of(run.number))


def kept_self_edits(context: RunContext, run: Run) -> tuple[SelfEdit, ...]:
    """The self-edits that the run learns, each with its edit set's reward: all where there is one edit set."""
    edits = context.ledger.self_edits.of_run(run.number)
    if not context.recipe.self_edits.choosing:
        return edits
    return writer.kept(edits, context.ledger.self_edits.selections_of(run.number))
