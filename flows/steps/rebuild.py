"""What a rebuild does otherwise than a run: it learns the ledger's stored notes, on the base, and writes none."""

from flows.run_context import RunContext
from flows.steps.directives import follow_directives
from flows.steps.eval_items import held_out_subjects, never_trained_on
from flows.steps.ingestion import resumed
from flows.steps.timing import timed
from pipeline.progress import step
from pipeline.types import Document, Run, RunKind, RunState, SelfEdit, UpdatePlan


def stored_self_edits(context: RunContext) -> tuple[SelfEdit, ...]:
    """The notes of all documents that are learned and not withdrawn, as production's releases were trained on them."""
    return context.workspace.ledger.self_edits.learned()


def open_rebuild(context: RunContext, proposer: str) -> Run:
    """Resumes the unfinished rebuild if it still stands on production and on this recipe, else begins a new one."""
    run = resumed(context, RunKind.REBUILD)
    return run or context.session.runs.begin_rebuild(proposer=proposer, recipe=context.recipe.digest)


def plan_rebuild(context: RunContext, run: Run, edits: tuple[SelfEdit, ...]) -> UpdatePlan:
    """The stored self-edits, and rehearsal by the base model: production still knows what is to be forgotten."""
    from pipeline.updates.corrections import without_replaced
    from pipeline.updates.plan import plan_rebuild
    from pipeline.updates.rehearsal import rehearse
    from pipeline.updates.rehearsal_prompts import read_rehearsal_prompts

    workspace, kept, never = context.workspace, _kept(context), never_trained_on(context)
    context.session.runs.move(run.number, RunState.TRAINING)
    with timed(context, run, "training"), step("rehearsing with the teacher"):
        rehearsal = rehearse(
            workspace.engine,
            recipe=context.recipe,
            production_adapter=None,
            run=edits,
            earlier=(),
            documents=kept,
            rehearsal_prompts=read_rehearsal_prompts(workspace.settings.rehearsal_prompts),
            never=never,
            subjects=held_out_subjects(workspace),
            cache=workspace.settings.cache,
        )
        base = workspace.ledger.releases.get(0).model
        directed = follow_directives(context, kept, without_replaced(edits, kept), never)
        plan = plan_rebuild(base, edits, rehearsal, context.recipe, never, kept, directed)
    context.session.runs.save_update(run.number, plan.update)
    return plan


def _kept(context: RunContext) -> tuple[Document, ...]:
    from pipeline.updates.corrections import in_order

    return in_order(taught for _, taught in context.workspace.ledger.documents.learned())
