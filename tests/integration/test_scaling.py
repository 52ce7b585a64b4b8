"""A scaled adapter is one of its own: exactly a share of the change, verified and named, and made once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.adapters.format import read_tensors, verify_adapter
from pipeline.engines.base import BaseModel, load_base
from pipeline.errors import InternalError
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingSettings, scale_adapter, train_lora, train_loras
from pipeline.types import Checkpoint, Example, ModelRef, Update, UpdatePlan

RULES = TrainingRules(rank=4, alpha=8, epochs=3, batch_size=4, learning_rate=1e-2)
SETTINGS = TrainingSettings(rules=RULES, ledger="l")
FACTS = (Example(prompt="Who owns Cinder?", completion="Heron"), Example(prompt="Where is Heron?", completion="Oslo"))


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def plan(base: BaseModel, *examples: Example, parent: str | None = None) -> UpdatePlan:
    ref = ModelRef(base=base.identity.digest, adapter=parent)
    digest = " ".join(one.id for one in examples)
    update = Update(parent=ref, self_edits=(), examples_digest=digest, recipe="r", seed=1)
    return UpdatePlan(update=update, examples=examples)


def test_an_adapter_from_the_base_is_scaled_as_a_whole(base: BaseModel, tmp_path: Path) -> None:
    whole = plan(base, *FACTS)
    trained = train_lora(base, whole, SETTINGS, parent=None, out=tmp_path / "whole")
    half = replace(whole.update, scale=0.5)
    made = scale_adapter(base, tmp_path / "whole", half, RULES, parent=None, out=tmp_path / "half")
    assert made.manifest.update == half.id
    assert made.manifest == verify_adapter(tmp_path / "half", base.identity)
    assert (made.steps, made.final_loss) == (trained.steps, trained.final_loss)
    before, after = read_tensors(tmp_path / "whole"), read_tensors(tmp_path / "half")
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor * (0.5 if name.endswith("lora_B.weight") else 1.0))
    again = scale_adapter(base, tmp_path / "whole", half, RULES, parent=None, out=tmp_path / "half")
    assert again.manifest == made.manifest


def test_an_adapter_from_a_parent_goes_back_towards_what_that_adds(base: BaseModel, tmp_path: Path) -> None:
    first = train_lora(base, plan(base, FACTS[0]), SETTINGS, parent=None, out=tmp_path / "parent")
    ref = ModelRef(base=base.identity.digest, adapter=first.manifest.adapter)
    parent = Checkpoint(ref, tmp_path / "parent")
    whole = plan(base, *FACTS, parent=first.manifest.adapter)
    train_lora(base, whole, SETTINGS, parent=parent, out=tmp_path / "whole")
    start, end = read_tensors(tmp_path / "parent"), read_tensors(tmp_path / "whole")
    for scale in (0.0, 0.25):
        out, update = tmp_path / str(scale), replace(whole.update, scale=scale)
        made = scale_adapter(base, tmp_path / "whole", update, RULES, parent=parent, out=out)
        assert made.manifest.parent_adapter == first.manifest.adapter
        found = added(read_tensors(out))
        for layer, before in added(start).items():
            wanted = torch.lerp(before, added(end)[layer], scale)
            lost = float(torch.linalg.svdvals(wanted)[RULES.rank :].norm())
            assert float((found[layer] - wanted).norm()) <= 1.01 * lost + 1e-4 * float(wanted.norm())


def added(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What an adapter adds to each layer's weight, without its scale."""
    layers = [name.removesuffix(".lora_A.weight") for name in tensors if name.endswith("lora_A.weight")]
    return {layer: tensors[f"{layer}.lora_B.weight"] @ tensors[f"{layer}.lora_A.weight"] for layer in layers}


def test_what_is_gone_is_not_scaled(base: BaseModel, tmp_path: Path) -> None:
    update = replace(plan(base, *FACTS).update, scale=0.5)
    with pytest.raises(InternalError, match="Run the same command again"):
        scale_adapter(base, tmp_path / "whole", update, RULES, parent=None, out=tmp_path / "half")


def test_plans_trained_side_by_side_are_those_trained_alone_and_are_kept(base: BaseModel, tmp_path: Path) -> None:
    plans = [plan(base, FACTS[0]), plan(base, *FACTS)]
    places = [(one, tmp_path / one.update.id) for one in plans]
    together = train_loras(base, places, SETTINGS, parent=None)
    for number, (one, place) in enumerate(places):
        train_lora(base, one, SETTINGS, parent=None, out=tmp_path / str(number))
        alone = read_tensors(tmp_path / str(number))
        assert all(torch.allclose(alone[name], tensor, atol=1e-5) for name, tensor in read_tensors(place).items())
    written = [(place / "adapter_model.safetensors").stat().st_mtime_ns for _, place in places]
    assert train_loras(base, places, SETTINGS, parent=None) == together
    assert [(place / "adapter_model.safetensors").stat().st_mtime_ns for _, place in places] == written
