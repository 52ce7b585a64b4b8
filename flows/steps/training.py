"""Plans the update and trains its adapter, warm from production's, on what the run wrote and what is rehearsed."""

import logging
from pathlib import Path

from flows.run_context import RunContext
from flows.steps.eval_items import training_guard
from flows.steps.timing import timed
from pipeline import updates
from pipeline.engines.engine import fits_context
from pipeline.leakage import TrainingGuard
from pipeline.progress import step
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.types import Role, Run, RunKind, RunState, SelfEdit, Trained, UpdatePlan

log = logging.getLogger("sealed")


def plan_update(context: RunContext, run: Run, edits: tuple[SelfEdit, ...]) -> UpdatePlan:
    """The run's examples with replay and rehearsal, in their order; none asks a test question."""
    workspace = context.workspace
    context.session.runs.move(run.number, RunState.TRAINING)
    live, guard = workspace.ledger.releases.get(run.parent), training_guard(context)
    behind = workspace.ledger.releases.kinds_behind(run.parent)
    learned = updates.UpdateInput(
        edits=edits,
        documents=workspace.ledger.documents.of(run.documents),
        earlier_edits=workspace.ledger.self_edits.learned(),
        earlier_runs=[taught for _, taught in workspace.ledger.documents.learned()],
    )
    with timed(context, run, "training"), step("rehearsing with the teacher"):
        gathering = rehearsal_context(context, guard, reader=workspace.held_adapter(live))
        rehearsal = updates.rehearse(gathering, learned, writing=written_after(edits, behind))
        fits = fits_context(workspace.engine, context.recipe.training)
        plan = updates.plan_update(live.model, learned, rehearsal, context.recipe, guard=guard, fits=fits)
    record_plan(context, run, plan)
    return plan


def rehearsal_context(context: RunContext, guard: TrainingGuard, *, reader: Path | None) -> updates.RehearsalContext:
    """What a run rehearses with; `reader` is the adapter that answers open-book questions."""
    return updates.RehearsalContext(
        engine=context.workspace.engine,
        recipe=context.recipe,
        reader=reader,
        prompts=updates.read_rehearsal_prompts(context.workspace.settings.rehearsal_prompts),
        cache=context.workspace.settings.cache,
        guard=guard,
    )


def record_plan(context: RunContext, run: Run, plan: UpdatePlan) -> None:
    """Stores the planned update, and logs what was made of the settings that self-edits chose."""
    for followed in plan.update.followed:
        for reason in followed.reasons:
            log.info("%s: directives: %s", followed.document[:12], reason)
    context.session.runs.save_update(run.number, plan.update)


def held_after(rules: RehearsalRules, behind: frozenset[RunKind]) -> RehearsalRules:
    """What holds a run, by the kinds of runs `behind` its parent: what practice changed is not pulled back."""
    return rules.without_writing if RunKind.WRITER_TRAINING in behind else rules


def written_after(edits: tuple[SelfEdit, ...], behind: frozenset[RunKind]) -> tuple[SelfEdit, ...] | None:
    """The notes by which writing is rehearsed, None: all. After a practice this run's, which its writer wrote."""
    return edits if RunKind.WRITER_TRAINING in behind else None


def weighed(rules: TrainingRules, kind: RunKind, plan: UpdatePlan) -> TrainingRules:
    """How a run is trained. In a rebuild the ledger weighs as much as what is rehearsed, if that is less than usual.

    A run is few among what is rehearsed beside it. A ledger of many runs is not, and would drown what holds it. So
    do its corrections, taken together: those weigh as much once more, and none of either less than a rehearsed example.
    """
    if kind is not RunKind.REBUILD:
        return rules
    own = [example for example in plan.examples if example.role is Role.NEW]
    rehearsed, correcting = len(plan.examples) - len(own), sum(example.corrects for example in own)
    run = _even(rehearsed, len(own) - correcting, rules.new_weight)
    correction = _even(rehearsed / run, correcting, rules.correction_weight)
    return rules.model_copy(update={"new_weight": run, "correction_weight": correction})


def _even(whole: float, count: int, usual: float) -> float:
    """What each of `count` examples weighs that together weigh `whole`: at least one, at most the usual."""
    return min(usual, max(1.0, whole / count)) if count else usual


def train_adapter(context: RunContext, run: Run, plan: UpdatePlan) -> Trained:
    """Trains the planned adapter, warm from the live one or from none; one that is there and verifies is kept."""
    from pipeline.training import TrainingSettings, train_lora

    workspace = context.workspace
    live = workspace.ledger.releases.get(run.parent)
    warm = plan.update.parent.adapter is not None
    behind = workspace.ledger.releases.kinds_behind(run.parent) if warm else frozenset[RunKind]()
    with timed(context, run, "training"), step("training the adapter"):
        settings = TrainingSettings(
            rules=weighed(context.recipe.training, run.kind, plan),
            ledger=workspace.ledger.documents.ledger_digest(run),
            rehearsal=held_after(context.recipe.rehearsal, behind),
        )
        parent = workspace.checkpoint(live) if warm else None
        return train_lora(workspace.base, plan, settings, parent=parent, out=workspace.folder_of(plan.update.id))
