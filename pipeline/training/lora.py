"""Trains one LoRA adapter on a plan, from the parent's adapter or from none, and writes it with its manifest.

The same inputs give the same bytes on one machine. Knows no gate, no release, and not where the examples come from.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.saving import Provenance, save_adapter, trained_adapter
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput, TrainingFailed
from pipeline.recipe import NO_DISTILLATION, RehearsalRules, TrainingRules
from pipeline.training.jobs import TrainingJob
from pipeline.training.many import train_many
from pipeline.types import Checkpoint, Trained, UpdatePlan


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How an update is trained: its rules, its distillation, and the digest of the ledger it learned from.

    The latter is for the manifest only.
    """

    rules: TrainingRules
    ledger: str
    rehearsal: RehearsalRules = NO_DISTILLATION


def train_lora(
    base: BaseModel, plan: UpdatePlan, settings: TrainingSettings, *, parent: Checkpoint | None, out: Path
) -> Trained:
    """Trains the plan's adapter into `out` (all or nothing); if it is there already and verifies, returns it.

    `parent`: the plan's parent with its adapter's folder; None where the plan starts from the base.
    Raises BadInput (plan or rules unusable), CorruptAdapter or WrongBase (the parent), TrainingFailed (no finite loss).
    """
    update, rules = plan.update, settings.rules
    finished = trained_adapter(base.identity, update.id, out)
    if finished:
        return finished
    started = time.perf_counter()
    folder, wanted = parent.folder if parent else None, update.parent.adapter
    if folder is None and wanted is not None:
        raise BadInput(f"the plan starts from adapter {wanted[:12]}: give its directory as the parent.")
    if folder is not None and wanted is None:
        raise BadInput(f"{folder} is not the plan's parent: the plan starts from the base. Give none.")
    job = TrainingJob(
        examples=plan.examples,
        rules=rules,
        seed=seed_from("lora", update.seed),
        parent=Checkpoint(update.parent, folder),
        rehearsal=settings.rehearsal,
    )
    (result,) = train_many(base, [job])
    if not math.isfinite(result.final_loss):
        raise TrainingFailed(
            f"the loss is no longer finite at learning rate {rules.learning_rate:g}: nothing was written. "
            "Lower training.learning_rate, or check the parent adapter."
        )
    made_from = Provenance(update=update.id, recipe=update.recipe, ledger=settings.ledger, parent_adapter=wanted)
    manifest = save_adapter(out, base.identity, base.model, result, rules, made_from)
    return Trained(
        manifest=manifest,
        steps=result.steps,
        final_loss=result.final_loss,
        tokens=result.tokens,
        seconds=time.perf_counter() - started,
    )
