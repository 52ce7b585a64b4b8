"""Plans the update and trains its adapter, warm from the live one, on what the run wrote and what is rehearsed."""

from flows.run_context import RunContext
from flows.steps.directives import follow_directives
from flows.steps.eval_items import held_out_subjects, never_trained_on
from flows.steps.timing import timed
from pipeline.progress import step
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.types import Role, Run, RunKind, RunState, SelfEdit, Trained, UpdatePlan
from registry.store import documents, lineage, releases, runs, self_edits


def plan_update(context: RunContext, run: Run, edits: tuple[SelfEdit, ...]) -> UpdatePlan:
    """The run's examples with replay and rehearsal, in their order; what an test asks is in none of them."""
    from pipeline.updates.corrections import in_order, without_replaced
    from pipeline.updates.plan import plan_update
    from pipeline.updates.rehearsal import rehearse
    from pipeline.updates.rehearsal_prompts import read_rehearsal_prompts

    workspace = context.workspace
    runs.move(workspace.store, context.lease, run.number, RunState.TRAINING)
    live, never = releases.get(workspace.store, run.parent), never_trained_on(context)
    behind = lineage.kinds_behind(workspace.store, run.parent)
    taught = documents.of(workspace.store, run.documents)
    earlier = [learned for _, learned in documents.learned(workspace.store)]
    with timed(context, run, "training"), step("rehearsing with the teacher"):
        rehearsal = rehearse(
            workspace.engine,
            recipe=context.recipe,
            production_adapter=workspace.held_adapter(live),
            run=edits,
            earlier=self_edits.learned(workspace.store),
            writing=written_after(edits, behind),
            documents=in_order([*earlier, taught]),
            rehearsal_prompts=read_rehearsal_prompts(workspace.settings.rehearsal_prompts),
            never=never,
            subjects=held_out_subjects(workspace),
            cache=workspace.settings.cache,
        )
        newest = in_order([taught])
        directed = follow_directives(context, taught, without_replaced(edits, newest), never)
        plan = plan_update(live.model, edits, rehearsal, context.recipe, directed, newest)
    runs.save_update(workspace.store, context.lease, run.number, plan.update)
    return plan


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
    live = releases.get(workspace.store, run.parent)
    warm = plan.update.parent.adapter is not None
    behind = lineage.kinds_behind(workspace.store, run.parent) if warm else frozenset[RunKind]()
    with timed(context, run, "training"), step("training the adapter"):
        settings = TrainingSettings(
            rules=weighed(context.recipe.training, run.kind, plan),
            ledger=documents.ledger_digest(workspace.store, run),
            rehearsal=held_after(context.recipe.rehearsal, behind),
        )
        parent = workspace.checkpoint(live) if warm else None
        return train_lora(workspace.base, plan, settings, parent=parent, out=workspace.folder_of(plan.update.id))
