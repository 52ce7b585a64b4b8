"""What an update is made of: the plan, replay, rehearsal and corrections. Decides and asks engines; trains nothing."""

from pipeline.updates.corrections import corrected_subjects
from pipeline.updates.parts import plan_part
from pipeline.updates.plan import UpdateInput, evenly, plan_rebuild, plan_update
from pipeline.updates.rehearsal import RehearsalContext, rehearse
from pipeline.updates.rehearsal_prompts import RehearsalPrompts, read_rehearsal_prompts

__all__ = [
    "RehearsalContext",
    "RehearsalPrompts",
    "UpdateInput",
    "corrected_subjects",
    "evenly",
    "plan_part",
    "plan_rebuild",
    "plan_update",
    "read_rehearsal_prompts",
    "rehearse",
]
