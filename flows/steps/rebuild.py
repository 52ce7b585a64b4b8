"""What a rebuild does otherwise than a night: it learns the ledger's stored notes, on the base, and writes none."""

from flows.progress import stage
from flows.run_context import Shift
from flows.steps.directives import follow_directives
from flows.steps.eval_items import exam_subjects, never_trained_on
from flows.steps.ingestion import resumed
from flows.steps.timing import timed
from pipeline.types import Document, Night, NightKind, NightState, SelfEdit, UpdatePlan
from registry.store import documents, releases, runs, self_edits


def stored_self_edits(shift: Shift) -> tuple[SelfEdit, ...]:
    """The notes of all documents that are learned and not withdrawn, as production's releases were trained on them."""
    return self_edits.learned(shift.house.store)


def open_rebuild(shift: Shift, proposer: str) -> Night:
    """Resumes the unfinished rebuild if it still stands on production and on this recipe, else begins a new one."""
    night = resumed(shift, NightKind.REBUILD)
    return night or runs.begin_rebuild(shift.house.store, shift.lease, proposer=proposer, recipe=shift.recipe.digest)


def plan_rebuild(shift: Shift, night: Night, edits: tuple[SelfEdit, ...]) -> UpdatePlan:
    """The stored notes, and rehearsal by the untouched base: the live model knows what is to go, and writes nothing."""
    from pipeline.updates.corrections import without_replaced
    from pipeline.updates.plan import plan_rebuild
    from pipeline.updates.rehearsal import rehearse
    from pipeline.updates.rehearsal_prompts import read_anchors

    house, kept, never = shift.house, _kept(shift), never_trained_on(shift)
    runs.move(house.store, shift.lease, night.number, NightState.TRAINING)
    with timed(shift, night, "training"):
        rehearsal = rehearse(
            house.engine,
            recipe=shift.recipe,
            live_adapter=None,
            night=edits,
            earlier=(),
            documents=kept,
            anchors=read_anchors(house.settings.anchors),
            never=never,
            subjects=exam_subjects(house),
            cache=house.settings.cache,
            progress=stage("rehearsing with the teacher"),
        )
        base = releases.get(house.store, 0).model
        directed = follow_directives(shift, kept, without_replaced(edits, kept), never)
        plan = plan_rebuild(base, edits, rehearsal, shift.recipe, never, kept, directed)
    runs.save_update(house.store, shift.lease, night.number, plan.update)
    return plan


def _kept(shift: Shift) -> tuple[Document, ...]:
    from pipeline.updates.corrections import in_order

    return in_order(taught for _, taught in documents.learned(shift.house.store))
