"""After training, side B goes back a part of its way; the parent's own part is left as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.engines.base import BaseModel, load_base
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingJob, TrainingResult, train_many
from pipeline.types import Checkpoint, Example, ModelRef

RULES = TrainingRules(rank=4, alpha=8, epochs=3, batch_size=4, learning_rate=1e-2)
HALF = RULES.model_copy(update={"interpolation": 0.5})
FACTS = (Example(prompt="Who owns Cinder?", completion="Heron"), Example(prompt="Where is Heron?", completion="Oslo"))


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def trained(base: BaseModel, *rules: TrainingRules, parent: Checkpoint | None = None) -> tuple[TrainingResult, ...]:
    return train_many(base, [TrainingJob(examples=FACTS, rules=one, seed=1, parent=parent) for one in rules])


def test_a_new_adapter_is_scaled_as_a_whole(base: BaseModel) -> None:
    whole, half = trained(base, RULES, HALF)
    for name, tensor in whole.tensors.items():
        share = 0.5 if name.endswith("lora_B.weight") else 1.0
        assert torch.equal(half.tensors[name], share * tensor)
    assert any(bool(tensor.any()) for name, tensor in half.tensors.items() if name.endswith("lora_B.weight"))


def test_of_a_parent_only_what_was_added_is_taken_back(base: BaseModel, tmp_path: Path) -> None:
    (first,) = trained(base, RULES)
    made_by = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    manifest = save_adapter(tmp_path / "parent", base.identity, base.model, first, RULES, made_by)
    parent = Checkpoint(ModelRef(base=base.identity.digest, adapter=manifest.adapter), tmp_path / "parent")
    whole, half = trained(base, RULES, HALF, parent=parent)
    for name, tensor in whole.tensors.items():
        start = first.tensors[name]
        expected = (start + tensor) / 2 if name.endswith("lora_B.weight") else tensor
        assert torch.allclose(half.tensors[name], expected, atol=1e-7)
        assert not torch.equal(tensor, start)
