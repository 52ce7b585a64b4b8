"""Trains one LoRA adapter on a plan, from the parent's adapter or from none, and writes it with its manifest.

The same inputs give the same bytes on one machine. Knows no gate, no release, and not where the examples come from.
"""

import json
import math
import time
from pathlib import Path

from pipeline.adapters.format import WEIGHTS, verify_adapter
from pipeline.adapters.identity import BaseIdentity
from pipeline.adapters.saving import FACTS, Provenance, save_adapter
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput, CorruptAdapter, TrainingFailed
from pipeline.recipe import NO_DISTILLATION, RehearsalRules, TrainingRules
from pipeline.training.many import TrainingJob, train_many
from pipeline.types import Trained, UpdatePlan


def train_lora(
    base: BaseModel,
    plan: UpdatePlan,
    rules: TrainingRules,
    *,
    parent_adapter: Path | None,
    out: Path,
    ledger: str,
    rehearsal: RehearsalRules = NO_DISTILLATION,
) -> Trained:
    """Trains the plan's adapter into `out` (all or nothing); if it is there already and verifies, returns it.

    `ledger` is the digest of what the run learned from, for the manifest; `rehearsal` says what holds the update to
    its teachers (see `TrainingJob`).
    Raises BadInput (plan or rules unusable), CorruptAdapter or WrongBase (the parent), TrainingFailed (no finite loss).
    """
    finished = trained_adapter(base.identity, plan.update.id, out)
    if finished:
        return finished
    started = time.perf_counter()
    wanted = plan.update.parent.adapter
    if parent_adapter is None and wanted is not None:
        raise BadInput(f"the plan starts from adapter {wanted[:12]}: give its directory as the parent.")
    if parent_adapter is not None and wanted is None:
        raise BadInput(f"{parent_adapter} is not the plan's parent: the plan starts from the base. Give none.")
    group = TrainingJob(
        examples=plan.examples,
        rules=rules,
        seed=seed_from("lora", plan.update.seed),
        parent=parent_adapter,
        parent_adapter=wanted,
        rehearsal=rehearsal,
    )
    (learned,) = train_many(base, [group])
    if not math.isfinite(learned.final_loss):
        raise TrainingFailed(
            f"the loss is no longer finite at learning rate {rules.learning_rate:g}: nothing was written. "
            "Lower training.learning_rate, or check the parent adapter."
        )
    made_from = Provenance(update=plan.update.id, recipe=plan.update.recipe, ledger=ledger, parent_adapter=wanted)
    manifest = save_adapter(out, base, learned, rules, made_from)
    return Trained(
        manifest=manifest,
        steps=learned.steps,
        final_loss=learned.final_loss,
        tokens=learned.tokens,
        seconds=time.perf_counter() - started,
    )


def trained_adapter(identity: BaseIdentity, update: str, out: Path) -> Trained | None:
    """What an earlier run of the same update left in `out`, if it is whole. Raises WrongBase, BadInput."""
    from safetensors import safe_open

    if not out.exists():
        return None
    try:
        manifest = verify_adapter(out, identity)
    except CorruptAdapter:
        return None  # trained again, and replaced
    if manifest.update != update:
        raise BadInput(f"{out} holds the adapter of another update. Give an empty place.")
    with safe_open(out / WEIGHTS, framework="pt") as file:
        went = json.loads(file.metadata()[FACTS])
    return Trained(manifest=manifest, steps=went["steps"], final_loss=went["final_loss"], tokens=went["tokens"])
