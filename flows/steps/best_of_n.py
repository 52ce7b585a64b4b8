"""Compares the candidates of each document by the validation questions, and keeps the best.

Each selection is stored.
"""

import logging

from flows.run_context import RunContext
from flows.steps.eval_items import never_trained_on
from flows.steps.timing import timed
from pipeline.leakage import TrainingGuard
from pipeline.progress import step
from pipeline.self_edits.edit_sets import kept
from pipeline.types import Run, Selection, SelfEdit

log = logging.getLogger("sealed")


def select_edit_sets(context: RunContext, run: Run, edits: tuple[SelfEdit, ...]) -> tuple[SelfEdit, ...]:
    """The notes that are kept, each with its candidate's reward: all of them where there is one candidate."""
    from pipeline.inner_loop import EvalContext
    from pipeline.self_edits.best_of_n import select_edit_sets

    workspace = context.workspace
    if not context.recipe.self_edits.choosing:
        return edits
    live = workspace.ledger.releases.get(run.parent)

    def save(selections: tuple[Selection, ...]) -> None:
        context.session.self_edits.save_selections(run.number, selections)

    with timed(context, run, "choosing"), step("choosing among candidates"):
        made = select_edit_sets(
            EvalContext(base=workspace.base, recipe=context.recipe, start=workspace.checkpoint(live)),
            workspace.ledger.documents.of(run.documents),
            edits,
            guard=TrainingGuard(questions=never_trained_on(context)),
            already={selection.document for selection in workspace.ledger.self_edits.selections_of(run.number)},
            save=save,
        )
    for selection in made:
        log.info("%s: %s", selection.document[:12], selection.sentence)
    return kept(workspace.ledger.self_edits.of_run(run.number), workspace.ledger.self_edits.selections_of(run.number))
