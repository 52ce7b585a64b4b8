"""Plans the update of a run, and trains its adapter on what the run wrote and what is rehearsed."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flows.run_context import RunContext
from flows.steps.guard import training_basis, training_guard
from flows.steps.run_files import read_value, write_value
from flows.steps.self_edits import kept_self_edits
from flows.wiring import Workspace
from gates.predictability import expect_scorable
from pipeline import updates
from pipeline.adapters.saving import trained_adapter
from pipeline.engines import fits_context
from pipeline.errors import InternalError
from pipeline.leakage import TrainingGuard
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.training import TrainingSettings, scale_adapter, train_lora
from pipeline.types import Checkpoint, Document, Role, Run, RunKind, RunState, SelfEdit, Trained, UpdatePlan

log = logging.getLogger("sealed")


def prepare_update(context: RunContext, run: Run) -> str:
    """Plans the run's update and stores the plan with all its examples in order. Returns the update's id.

    The plan that a killed run stored is kept as long as the run may train on the same; one that was registering its
    release needs none. No example asks a test question. Raises MeasurementFailed where no gate could score a text.
    """
    guard = training_guard(context)
    basis = training_basis(context, run, guard)
    if run.update is not None and (run.release is not None or find_plan(context, run.update, basis) is not None):
        return run.update
    expect_scorable(context.workspace.base, context.suites.texts)
    context.session.runs.move(run.number, RunState.TRAINING)
    with context.stage(run, "training", "rehearsing with the teacher"):
        plan = _plan_rebuild(context, guard) if run.kind is RunKind.REBUILD else _plan_nightly(context, run, guard)
    for followed in plan.update.followed:
        for reason in followed.reasons:
            log.info("%s: directives: %s", followed.document[:12], reason)
    store_plan(context, run, plan, basis)
    return plan.update.id


def _plan_nightly(context: RunContext, run: Run, guard: TrainingGuard) -> UpdatePlan:
    """The run's self-edits, and rehearsal by the base model and production."""
    production, learned = context.production(run), update_input(context, run)
    gathering = rehearsal_context(context, guard, reader=context.workspace.held_adapter(production))
    behind = context.ledger.releases.kinds_behind(run.parent)
    rehearsal = updates.rehearse(gathering, learned, writing=written_after(learned.edits, behind))
    fits = fits_context(context.workspace.engine, context.recipe.training)
    return updates.plan_update(production.model, learned, rehearsal, context.recipe, guard=guard, fits=fits)


def update_input(context: RunContext, run: Run) -> updates.UpdateInput:
    """What a nightly run learns of the documents that it holds, and what it builds on."""
    return updates.UpdateInput(
        edits=[edit for edit in kept_self_edits(context, run) if edit.document in run.documents],
        documents=context.ledger.documents.of(run.documents),
        earlier_edits=context.ledger.self_edits.learned(),
        earlier_runs=earlier_runs(context),
    )


def _plan_rebuild(context: RunContext, guard: TrainingGuard) -> UpdatePlan:
    """All learned self-edits, and rehearsal by the base model: production still knows what is to be forgotten."""
    learned = updates.UpdateInput(edits=context.ledger.self_edits.learned(), earlier_runs=earlier_runs(context))
    rehearsal = updates.rehearse(rehearsal_context(context, guard, reader=None), learned)
    base = context.ledger.releases.get(0).model
    fits = fits_context(context.workspace.engine, context.recipe.training)
    return updates.plan_rebuild(base, learned, rehearsal, context.recipe, guard=guard, fits=fits)


def earlier_runs(context: RunContext) -> list[tuple[Document, ...]]:
    """The documents of each release that stays learned, oldest first."""
    return [documents for _, documents in context.ledger.documents.learned()]


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


def store_plan(context: RunContext, run: Run, plan: UpdatePlan, basis: str) -> None:
    """Stores a run's plan in the workspace, then its update in the ledger. `basis`: see `training_basis`."""
    write_value(_plan_file(context.workspace, plan.update.id), plan, basis)
    context.session.runs.save_update(run.number, plan.update)


def find_plan(context: RunContext, update: str, basis: str | None = None) -> UpdatePlan | None:
    """The stored plan of that update id; None where there is none, or none that was made on this `basis`."""
    return plan_of(context.workspace, update, basis)


def plan_of(workspace: Workspace, update: str, basis: str | None = None) -> UpdatePlan | None:
    """Likewise, outside a run."""
    plan = read_value(_plan_file(workspace, update), UpdatePlan, basis)
    return plan if plan is not None and plan.update.id == update else None


def stored_plan(context: RunContext, update: str) -> UpdatePlan:
    """The stored plan of that update id. Raises InternalError if it is gone."""
    if (plan := find_plan(context, update)) is None:
        raise InternalError(f"the plan of update {update[:12]} is gone or damaged. Run the same command again.")
    return plan


def _plan_file(workspace: Workspace, update: str) -> Path:
    return workspace.plans / f"{update}.json"


def rehearsal_rules_after(rules: RehearsalRules, behind: frozenset[RunKind]) -> RehearsalRules:
    """The rehearsal rules, by the kinds of runs `behind` the parent: a trained writer is not distilled away."""
    return rules.without_writing if RunKind.WRITER_TRAINING in behind else rules


def written_after(edits: Sequence[SelfEdit], behind: frozenset[RunKind]) -> Sequence[SelfEdit] | None:
    """The self-edits by which writing is rehearsed; None: all. After writer training this run's."""
    return edits if RunKind.WRITER_TRAINING in behind else None


def weighed(rules: TrainingRules, kind: RunKind, plan: UpdatePlan) -> TrainingRules:
    """The training rules of a run. In a rebuild all new examples weigh as much as the rehearsal, at most as usual.

    A nightly run's examples are few beside the rehearsal. Those of many runs are not, and would outweigh it. The
    corrections among them weigh as much once more, taken together; no example weighs less than a rehearsed one.
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


def finished_adapter(context: RunContext, update: str) -> Trained | None:
    """The adapter of that update id, if it was trained already and verifies. Raises WrongBase."""
    return trained_adapter(context.workspace.identity, update, context.workspace.folder_of(update))


def train_adapter(context: RunContext, run: Run, update: str) -> Trained:
    """Trains the planned adapter from production's adapter, or from the base model as the plan says.

    One that was trained already and verifies is kept. A scaled one is made of the whole one.
    """
    if (finished := finished_adapter(context, update)) is not None:
        return finished
    workspace, plan = context.workspace, stored_plan(context, update)
    parent, out = warm_start(context, run, plan), workspace.folder_of(update)
    if plan.update.scale != 1.0:
        whole = replace(plan.update, scale=1.0).id
        train_adapter(context, run, whole)
        rules, trained = context.recipe.training, workspace.folder_of(whole)
        return scale_adapter(workspace.base, trained, plan.update, rules, parent=parent, out=out)
    with context.stage(run, "training", "training the adapter"):
        return train_lora(workspace.base, plan, training_settings(context, run, plan), parent=parent, out=out)


def warm_start(context: RunContext, run: Run, plan: UpdatePlan) -> Checkpoint | None:
    """Production with its adapter, where the plan starts from one; None where it starts from the base model."""
    return None if plan.update.parent.adapter is None else context.workspace.checkpoint(context.production(run))


def training_settings(context: RunContext, run: Run, plan: UpdatePlan) -> TrainingSettings:
    """How a plan of this run is trained."""
    warm = plan.update.parent.adapter is not None
    behind = context.ledger.releases.kinds_behind(run.parent) if warm else frozenset[RunKind]()
    return TrainingSettings(
        rules=weighed(context.recipe.training, run.kind, plan),
        ledger=context.ledger.documents.ledger_digest(run),
        rehearsal=rehearsal_rules_after(context.recipe.rehearsal, behind),
    )
