"""Scales what an update changed in an adapter, and writes the result as an adapter of its own. Trains nothing.

STABLE (arXiv 2510.16089) clips an update that is over its budget in the same way.
"""

from dataclasses import replace
from pathlib import Path

from pipeline.adapters.format import read_tensors
from pipeline.adapters.products import blended, scaled
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter, trained_adapter
from pipeline.engines.base import BaseModel
from pipeline.errors import InternalError
from pipeline.recipe import TrainingRules
from pipeline.rendering import thinking_of
from pipeline.training.jobs import parent_tensors
from pipeline.types import Checkpoint, Trained, Update


def scale_adapter(
    base: BaseModel, trained: Path, update: Update, rules: TrainingRules, *, parent: Checkpoint | None, out: Path
) -> Trained:
    """Writes the adapter in `trained` with its change scaled by `update.scale` into `out`; one that is there is kept.

    `update`: the scaled one, whose id the new adapter bears. `parent`: what training started from. Raises
    CorruptAdapter or WrongBase, and InternalError where `trained` is not of the same update.
    """
    finished = trained_adapter(base.identity, update.id, out)
    if finished is not None:
        return finished
    whole = trained_adapter(base.identity, replace(update, scale=1.0).id, trained)
    if whole is None:
        raise InternalError(f"there is no adapter in {trained} to scale. Run the same command again.")
    made, before = read_tensors(trained), parent_tensors(base, parent, rules)
    tensors = scaled(made, update.scale) if before is None else blended(before, made, update.scale)
    result = TrainingResult(tensors=tensors, steps=whole.steps, final_loss=whole.final_loss, tokens=whole.tokens)
    manifest = whole.manifest
    made_from = Provenance(
        update=update.id,
        recipe=update.recipe,
        ledger=manifest.ledger,
        parent_adapter=manifest.parent_adapter,
        thinking=thinking_of(base.tokenizer),
    )
    written = save_adapter(out, base.identity, base.model, result, rules, made_from)
    return Trained(manifest=written, steps=whole.steps, final_loss=whole.final_loss, tokens=whole.tokens)
