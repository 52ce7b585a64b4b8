"""The adapter that a training starts from: verified as serving verifies it, and fit to go on with. Knows no plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.attachment import check_fit
from pipeline.adapters.format import read_tensors, verify_adapter
from pipeline.adapters.targets import target_names
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules

if TYPE_CHECKING:
    import torch


def parent_tensors(
    base: BaseModel, folder: Path, rules: TrainingRules, adapter: str | None = None
) -> "dict[str, torch.Tensor]":
    """The tensors of the adapter in `folder`, by PEFT's keys.

    Raises CorruptAdapter or WrongBase; BadInput where it is not `adapter` (a digest), or where its rank, alpha or
    layers are not those that `rules` train.
    """
    manifest = verify_adapter(folder, base.identity)
    if adapter is not None and manifest.adapter != adapter:
        raise BadInput(f"{folder} is adapter {manifest.adapter[:12]}, not the plan's parent {adapter[:12]}.")
    if (manifest.rank, manifest.alpha) != (rules.rank, rules.alpha):
        raise BadInput(
            f"the production adapter has rank {manifest.rank} and alpha {manifest.alpha}, the recipe {rules.rank} and "
            f"{rules.alpha}: an update keeps its parent's. Change the recipe back, or rebuild from the base."
        )
    targets = target_names(base.model, rules.targets)
    if manifest.target_modules != targets:
        raise BadInput(
            f"the production adapter changes the layers {', '.join(manifest.target_modules)}, the recipe's are "
            f"{', '.join(targets)}: an update keeps its parent's. Change training.targets back, or rebuild."
        )
    tensors = read_tensors(folder)
    check_fit(tensors, base.model, rules.alpha / rules.rank, manifest.target_modules)
    return tensors
