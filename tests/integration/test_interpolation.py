"""After training, side B goes back a part of its way from where it started, each adapter from its own start."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.adapters.format import read_tensors
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


def _saved(base: BaseModel, result: TrainingResult, folder: Path) -> Checkpoint:
    made_by = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    manifest = save_adapter(folder, base.identity, base.model, result, RULES, made_by)
    return Checkpoint(ModelRef(base=base.identity.digest, adapter=manifest.adapter), folder)


def test_a_new_adapter_is_scaled_as_a_whole(base: BaseModel) -> None:
    whole, half = trained(base, RULES, HALF)
    for name, tensor in whole.tensors.items():
        share = 0.5 if name.endswith("lora_B.weight") else 1.0
        assert torch.equal(half.tensors[name], share * tensor)
    assert any(bool(tensor.any()) for name, tensor in half.tensors.items() if name.endswith("lora_B.weight"))


def test_of_a_parent_only_what_was_added_is_taken_back(base: BaseModel, tmp_path: Path) -> None:
    (first,) = trained(base, RULES)
    parent = _saved(base, first, tmp_path / "parent")
    whole, half = trained(base, RULES, HALF, parent=parent)
    for name, tensor in whole.tensors.items():
        start = first.tensors[name]
        expected = (start + tensor) / 2 if name.endswith("lora_B.weight") else tensor
        assert torch.allclose(half.tensors[name], expected, atol=1e-7)
        assert not torch.equal(tensor, start)


def test_each_of_several_jobs_goes_back_towards_its_own_start(base: BaseModel, tmp_path: Path) -> None:
    """A cold one and a longer warm one, which comes first in training."""
    parent = _saved(base, trained(base, RULES)[0], tmp_path / "parent")

    def jobs(rules: TrainingRules) -> list[TrainingJob]:
        longer = rules.model_copy(update={"epochs": 6})
        return [
            TrainingJob(examples=FACTS[:1], rules=rules, seed=1),
            TrainingJob(examples=FACTS, rules=longer, seed=2, parent=parent),
        ]

    starts = [{}, read_tensors(tmp_path / "parent")]
    for whole, half, start in zip(train_many(base, jobs(RULES)), train_many(base, jobs(HALF)), starts, strict=True):
        for name, tensor in whole.tensors.items():
            share = 0.5 if name.endswith("lora_B.weight") else 1.0
            expected = share * tensor + (1 - share) * start.get(name, torch.zeros_like(tensor))
            assert torch.allclose(half.tensors[name], expected, atol=1e-6)
