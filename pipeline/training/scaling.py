"""Scales what an update changed in an adapter, and writes the result as an adapter of its own. Trains nothing.

STABLE (arXiv 2510.16089) clips an update that is over its budget in the same way.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from pipeline.adapters.format import read_tensors
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter, trained_adapter
from pipeline.engines.base import BaseModel
from pipeline.errors import InternalError
from pipeline.recipe import TrainingRules
from pipeline.rendering import thinking_of
from pipeline.training.jobs import parent_tensors
from pipeline.types import Checkpoint, Trained, Update

_Tensors = Mapping[str, torch.Tensor]


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
    tensors = scaled(read_tensors(trained), parent_tensors(base, parent, rules), update.scale)
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


def scaled(tensors: _Tensors, parent: _Tensors | None, factor: float) -> dict[str, torch.Tensor]:
    """An adapter whose change is `factor` of what it was; 0 gives back what training started from.

    Without a parent side B is scaled, and with it the whole product. With one both sides go back towards the parent's:
    side B alone would leave what side A changed in the parent's own product.
    """
    if parent is None:
        return {name: one * factor if name.endswith("lora_B.weight") else one for name, one in tensors.items()}
    return {name: torch.lerp(parent[name].to(one), one, factor) for name, one in tensors.items()}
