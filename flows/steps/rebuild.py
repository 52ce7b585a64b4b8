"""What a rebuild does otherwise than a run: it learns the ledger's stored notes, on the base, and writes none."""

from flows.run_context import RunContext
from flows.steps.eval_items import training_guard
from flows.steps.ingestion import resumed
from flows.steps.timing import timed
from flows.steps.training import record_plan, rehearsal_context
from pipeline import updates
from pipeline.engines.engine import fits_context
from pipeline.progress import step
from pipeline.types import Run, RunKind, RunState, SelfEdit, UpdatePlan


def stored_self_edits(context: RunContext) -> tuple[SelfEdit, ...]:
    """The notes of all documents that are learned and not withdrawn, as production's releases were trained on them."""
    return context.workspace.ledger.self_edits.learned()


def open_rebuild(context: RunContext, proposer: str) -> Run:
    """Resumes the unfinished rebuild if it still stands on production and on this recipe, else begins a new one."""
    run = resumed(context, RunKind.REBUILD)
    return run or context.session.runs.begin_rebuild(proposer=proposer, recipe=context.recipe.digest)


def plan_rebuild(context: RunContext, run: Run, edits: tuple[SelfEdit, ...]) -> UpdatePlan:
    """The stored self-edits, and rehearsal by the base model: production still knows what is to be forgotten."""
    workspace, guard = context.workspace, training_guard(context)
    learned = updates.UpdateInput(
        edits=edits, earlier_runs=[taught for _, taught in workspace.ledger.documents.learned()]
    )
    context.session.runs.move(run.number, RunState.TRAINING)
    with timed(context, run, "training"), step("rehearsing with the teacher"):
        rehearsal = updates.rehearse(rehearsal_context(context, guard, reader=None), learned)
        base = workspace.ledger.releases.get(0).model
        fits = fits_context(workspace.engine, context.recipe.training)
        plan = updates.plan_rebuild(base, learned, rehearsal, context.recipe, guard=guard, fits=fits)
    record_plan(context, run, plan)
    return plan
