"""The identity adapter: well-formed, and it changes nothing. A vLLM server serves the base model under it.

vLLM's CPU build computes requests without an adapter by whatever adapter shares their batch, so none may be without.
"""

from pathlib import Path

import torch
from transformers import PreTrainedModel

from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.identity import BaseIdentity
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter
from pipeline.adapters.stack import shapes_of
from pipeline.digests import digest_of
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules
from pipeline.types import AdapterManifest

_NOTHING = digest_of("identity adapter")


def write_identity_adapter(out: Path, base: BaseIdentity, skeleton: PreTrainedModel) -> AdapterManifest:
    """Writes it into `out`: of rank 1, on one kind of layer. The same base always gives the same bytes.

    Raises BadInput for a model without linear layers.
    """
    layers = linear_layers(skeleton)
    if not layers:
        raise BadInput("this model has no linear layer that LoRA could adapt. Use another base model.")
    target = next(iter(layers)).rpartition(".")[2]
    rules = TrainingRules(rank=1, alpha=1, targets=(target,))
    shapes = shapes_of(linear_layers(skeleton, rules.targets), rules.rank)
    result = TrainingResult(
        tensors={key: torch.zeros(shape) for key, shape in shapes.items()}, steps=0, final_loss=0.0, tokens=0
    )
    made_from = Provenance(update=_NOTHING, recipe=_NOTHING, ledger=_NOTHING, parent_adapter=None)
    return save_adapter(out, base, skeleton, result, rules, made_from)
