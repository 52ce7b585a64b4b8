"""Reads the adapter that training starts from: verified as for serving, and of the shape to train. Knows no plan."""

import torch

from pipeline.adapters import check_fit, read_tensors, target_names, verify_adapter
from pipeline.engines import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules
from pipeline.types import Checkpoint


def parent_tensors(base: BaseModel, parent: Checkpoint | None, rules: TrainingRules) -> dict[str, torch.Tensor] | None:
    """The tensors of the parent's adapter, by PEFT's keys; None where there is no parent, or it has no adapter.

    Raises CorruptAdapter or WrongBase; BadInput where it is not the adapter that `parent.ref` names, or its rank, alpha
    or layers are not those that `rules` train.
    """
    if parent is None or parent.folder is None:
        return None
    folder, adapter = parent.folder, parent.ref.adapter
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
