"""Trains LoRA adapters on plans, from the parent's adapter or from none, and writes each with its manifest.

The same inputs give the same bytes on one machine. Knows no gate, no release, and not where the examples come from.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter, trained_adapter
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput, TrainingFailed
from pipeline.recipe import NO_DISTILLATION, RehearsalRules, TrainingRules
from pipeline.rendering import thinking_of
from pipeline.training.jobs import TrainingJob
from pipeline.training.many import train_many
from pipeline.types import Checkpoint, Trained, Update, UpdatePlan


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
    (trained,) = train_loras(base, [(plan, out)], settings, parent=parent)
    return trained


def train_loras(
    base: BaseModel,
    plans: Sequence[tuple[UpdatePlan, Path]],
    settings: TrainingSettings,
    *,
    parent: Checkpoint | None,
) -> tuple[Trained, ...]:
    """Trains the adapters of several plans side by side, each into its place; all have one parent.

    If all are there already and verify, returns them. Else all are trained: what is computed beside an adapter may
    change its last bits, so that after a kill the same ones are trained together again. `seconds` is that of all.
    Raises as `train_lora` does.
    """
    finished = [trained_adapter(base.identity, plan.update.id, out) for plan, out in plans]
    there = tuple(one for one in finished if one is not None)
    if len(there) == len(plans):
        return there
    started = time.perf_counter()
    results = train_many(base, [_job(plan, settings, parent) for plan, _ in plans])
    for result in results:
        if not math.isfinite(result.final_loss):
            raise TrainingFailed(
                f"the loss is no longer finite at learning rate {settings.rules.learning_rate:g}: nothing was written. "
                "Lower training.learning_rate, or check the parent adapter."
            )
    seconds = time.perf_counter() - started
    return tuple(
        _saved(base, plan.update, result, settings, out, seconds)
        for (plan, out), result in zip(plans, results, strict=True)
    )


def _job(plan: UpdatePlan, settings: TrainingSettings, parent: Checkpoint | None) -> TrainingJob:
    update, folder = plan.update, parent.folder if parent else None
    wanted = update.parent.adapter
    if folder is None and wanted is not None:
        raise BadInput(f"the plan starts from adapter {wanted[:12]}: give its directory as the parent.")
    if folder is not None and wanted is None:
        raise BadInput(f"{folder} is not the plan's parent: the plan starts from the base. Give none.")
    return TrainingJob(
        examples=plan.examples,
        rules=settings.rules,
        seed=seed_from("lora", update.seed),
        parent=Checkpoint(update.parent, folder),
        rehearsal=settings.rehearsal,
    )


def _saved(
    base: BaseModel, update: Update, result: TrainingResult, settings: TrainingSettings, out: Path, seconds: float
) -> Trained:
    made_from = Provenance(
        update=update.id,
        recipe=update.recipe,
        ledger=settings.ledger,
        parent_adapter=update.parent.adapter,
        thinking=thinking_of(base.tokenizer),
    )
    manifest = save_adapter(out, base.identity, base.model, result, settings.rules, made_from)
    return Trained(
        manifest=manifest,
        steps=result.steps,
        final_loss=result.final_loss,
        tokens=result.tokens,
        seconds=seconds,
    )
