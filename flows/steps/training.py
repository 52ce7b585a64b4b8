"""Plans the update and trains its adapter, warm from the live one, on what the night wrote and what is rehearsed."""

from flows.progress import stage
from flows.run_context import Shift
from flows.steps.directives import follow_directives
from flows.steps.eval_items import exam_subjects, never_trained_on
from flows.steps.timing import timed
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.types import Night, NightKind, NightState, Role, SelfEdit, Trained, UpdatePlan
from registry.store import documents, lineage, releases, runs, self_edits


def plan_update(shift: Shift, night: Night, edits: tuple[SelfEdit, ...]) -> UpdatePlan:
    """The night's examples with replay and rehearsal, in their order; what an exam asks is in none of them."""
    from pipeline.updates.corrections import in_order, without_replaced
    from pipeline.updates.plan import plan_update
    from pipeline.updates.rehearsal import rehearse
    from pipeline.updates.rehearsal_prompts import read_anchors

    house = shift.house
    runs.move(house.store, shift.lease, night.number, NightState.TRAINING)
    live, never = releases.get(house.store, night.parent), never_trained_on(shift)
    behind = lineage.kinds_behind(house.store, night.parent)
    taught = documents.of(house.store, night.documents)
    earlier = [learned for _, learned in documents.learned(house.store)]
    with timed(shift, night, "training"):
        rehearsal = rehearse(
            house.engine,
            recipe=shift.recipe,
            live_adapter=house.held_adapter(live),
            night=edits,
            earlier=self_edits.learned(house.store),
            writing=written_after(edits, behind),
            documents=in_order([*earlier, taught]),
            anchors=read_anchors(house.settings.anchors),
            never=never,
            subjects=exam_subjects(house),
            cache=house.settings.cache,
            progress=stage("rehearsing with the teacher"),
        )
        tonight = in_order([taught])
        directed = follow_directives(shift, taught, without_replaced(edits, tonight), never)
        plan = plan_update(live.model, edits, rehearsal, shift.recipe, directed, tonight)
    runs.save_update(house.store, shift.lease, night.number, plan.update)
    return plan


def held_after(rules: RehearsalRules, behind: frozenset[NightKind]) -> RehearsalRules:
    """What holds a night, by the kinds of nights `behind` its parent: what practice changed is not pulled back."""
    return rules.besides_writing if NightKind.PRACTICE in behind else rules


def written_after(edits: tuple[SelfEdit, ...], behind: frozenset[NightKind]) -> tuple[SelfEdit, ...] | None:
    """The notes by which writing is rehearsed, None: all. After a practice tonight's, which its writer wrote."""
    return edits if NightKind.PRACTICE in behind else None


def weighed(rules: TrainingRules, kind: NightKind, plan: UpdatePlan) -> TrainingRules:
    """How a night is trained. In a rebuild the ledger weighs as much as what is rehearsed, if that is less than usual.

    A night is few among what is rehearsed beside it. A ledger of many nights is not, and would drown what holds it. So
    do its corrections, taken together: those weigh as much once more, and none of either less than a rehearsed example.
    """
    if kind is not NightKind.REBUILD:
        return rules
    own = [example for example in plan.examples if example.role is Role.NIGHT]
    rehearsed, correcting = len(plan.examples) - len(own), sum(example.corrects for example in own)
    night = _even(rehearsed, len(own) - correcting, rules.night_weight)
    correction = _even(rehearsed / night, correcting, rules.correction_weight)
    return rules.model_copy(update={"night_weight": night, "correction_weight": correction})


def _even(whole: float, count: int, usual: float) -> float:
    """What each of `count` examples weighs that together weigh `whole`: at least one, at most the usual."""
    return min(usual, max(1.0, whole / count)) if count else usual


def train_adapter(shift: Shift, night: Night, plan: UpdatePlan) -> Trained:
    """Trains the planned adapter, warm from the live one or from none; one that is there and verifies is kept."""
    from pipeline.training.lora import train_lora

    house = shift.house
    report, live = stage("training the adapter"), releases.get(house.store, night.parent)
    warm = plan.update.parent.adapter is not None
    behind = lineage.kinds_behind(house.store, night.parent) if warm else frozenset[NightKind]()
    with timed(shift, night, "training"):
        return train_lora(
            house.base,
            plan,
            weighed(shift.recipe.training, night.kind, plan),
            rehearsal=held_after(shift.recipe.rehearsal, behind),
            parent_adapter=house.held_adapter(live) if warm else None,
            out=house.folder_of(plan.update.id),
            ledger=documents.ledger_digest(house.store, night),
            progress=lambda done, total, loss: report(done, total),
        )
