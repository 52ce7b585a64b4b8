"""Says at once which models cannot be learned with. Trains nothing."""

import tempfile
import warnings
from pathlib import Path

import torch

from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter
from pipeline.adapters.stack import shapes_of
from pipeline.chat import stop_ids
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.errors import CorruptAdapter, ModelMissing
from pipeline.recipe import TrainingRules

_OTHER = "Use another base model (docs/models.md)."


def check_supported(base: BaseModel) -> None:
    """Raises ModelMissing for a model that a run would train in vain, or whose answers would never end."""
    model, tokenizer = base.model, base.tokenizer
    if getattr(model, "_is_stateful", False):
        raise ModelMissing(
            f"{type(model).__name__} keeps a running state instead of the tokens before: such models cannot be trained "
            f"or served here. {_OTHER}"
        )
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise ModelMissing(
            f"the tokenizer has {len(tokenizer)} tokens, and the model {rows}: it is another model's. Copy both again."
        )
    if not stop_ids(tokenizer, model):
        raise ModelMissing(
            "neither the tokenizer nor the model names a token that ends an answer. Set eos_token in "
            "tokenizer_config.json to the one that it was trained with."
        )
    _check_attaches(base)


def _check_attaches(base: BaseModel) -> None:
    """Raises ModelMissing where an adapter of zeros, saved and loaded as a release's, is not what was saved."""
    rules, nobody = TrainingRules(rank=1, alpha=1), "0" * 64
    layers = linear_layers(base.model)
    zeros = {key: torch.zeros(shape) for key, shape in shapes_of(layers, rules.rank).items()}
    made = TrainingResult(tensors=zeros, steps=1, final_loss=0.0, tokens=1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "adapter"
        source = Provenance(update=nobody, recipe=nobody, ledger=nobody, parent_adapter=None)
        save_adapter(place, base.identity, base.model, made, rules, source)
        try:
            # What PEFT warns of while it renames layers is what is found out here.
            with warnings.catch_warnings(action="ignore"), with_adapter(base, place):
                return
        except CorruptAdapter as error:
            kind = type(base.model).__name__
            raise ModelMissing(f"PEFT does not load LoRA on the layers of {kind} as it is. {_OTHER}") from error
