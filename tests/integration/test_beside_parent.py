"""An adapter trained beside its parent's leaves that as it is, and is merged with it into one of the same rank."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.adapters.format import read_tensors
from pipeline.adapters.products import blended
from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.engines.base import BaseModel, load_base
from pipeline.errors import BadInput
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.training import TrainingJob, TrainingResult, train_many
from pipeline.types import Checkpoint, Example, ModelRef, Role

RULES = TrainingRules(rank=16, alpha=32, epochs=6, batch_size=4, learning_rate=1e-2)
BESIDE = RULES.model_copy(update={"beside_parent": True})
DAMPED = BESIDE.model_copy(update={"covariance_damping": 0.1})
FIRST = (Example(prompt="Who owns Cinder?", completion="Heron"),)
SECOND = (Example(prompt="Where is Heron?", completion="Oslo"),)
USUAL = (Example(prompt="", completion="the port keeps invoices in the region", role=Role.REHEARSAL),)
HELD = RehearsalRules(kl_weight=1e-6, hidden_state_weight=0.0)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


@pytest.fixture(scope="module")
def parent(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    (first,) = train_many(base, [TrainingJob(examples=FIRST, rules=RULES, seed=1)])
    folder = tmp_path_factory.mktemp("adapters") / "parent"
    made_by = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    manifest = save_adapter(folder, base.identity, base.model, first, RULES, made_by)
    return Checkpoint(ModelRef(base=base.identity.digest, adapter=manifest.adapter), folder)


def trained(base: BaseModel, rules: TrainingRules, parent: Checkpoint | None) -> TrainingResult:
    job = TrainingJob(examples=(*SECOND, *USUAL), rules=rules, seed=2, parent=parent, rehearsal=HELD)
    return train_many(base, [job])[0]


def added(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    sides = {name.removesuffix(".lora_A.weight") for name in tensors if name.endswith("lora_A.weight")}
    return {layer: tensors[f"{layer}.lora_B.weight"] @ tensors[f"{layer}.lora_A.weight"] for layer in sides}


@pytest.mark.parametrize("rules", [BESIDE, DAMPED])
def test_it_learns_and_has_the_rank_of_one(base: BaseModel, parent: Checkpoint, rules: TrainingRules) -> None:
    result = trained(base, rules, parent)
    assert parent.folder is not None
    before = read_tensors(parent.folder)
    assert {name: tensor.shape for name, tensor in result.tensors.items()} == {
        name: tensor.shape for name, tensor in before.items()
    }
    assert result.final_loss < trained(base, rules.model_copy(update={"epochs": 1}), parent).final_loss


def test_what_is_kept_of_nothing_is_the_parent(base: BaseModel, parent: Checkpoint) -> None:
    """At a rank that no layer's change exceeds, so that merging loses nothing."""
    assert parent.folder is not None
    before = added(read_tensors(parent.folder))
    whole = added(trained(base, BESIDE, parent).tensors)
    kept = added(trained(base, BESIDE.model_copy(update={"interpolation": 1e-6}), parent).tensors)
    for layer, product in before.items():
        assert torch.allclose(kept[layer], product, atol=1e-4)
        assert not torch.allclose(whole[layer], product, atol=1e-3)


def test_half_of_a_change_is_half_way_from_the_parent(base: BaseModel, parent: Checkpoint) -> None:
    assert parent.folder is not None
    before = read_tensors(parent.folder)
    whole = trained(base, BESIDE, parent).tensors
    half = added(trained(base, BESIDE.model_copy(update={"interpolation": 0.5}), parent).tensors)
    start = added(before)
    for layer, product in added(blended(before, whole, 0.5)).items():
        assert float((half[layer] - product).norm()) < 0.25 * float((product - start[layer]).norm())


def test_one_that_diverges_is_no_crash_and_takes_no_other_with_it(base: BaseModel, parent: Checkpoint) -> None:
    wild = BESIDE.model_copy(update={"learning_rate": 1.0, "clip_norm": 1e30, "epochs": 40})
    jobs = [TrainingJob(examples=SECOND, rules=rules, seed=2, parent=parent) for rules in (wild, BESIDE)]
    lost, sound = train_many(base, [replace(jobs[0], rules=wild), jobs[1]])
    assert math.isfinite(sound.final_loss)
    assert all(bool(tensor.isfinite().all()) for tensor in sound.tensors.values())
    assert lost.steps


def test_without_a_parent_it_is_a_first_run(base: BaseModel) -> None:
    plain, beside = trained(base, RULES, None).tensors, trained(base, BESIDE, None).tensors
    assert all(torch.equal(plain[name], tensor) for name, tensor in beside.items())


HALF = BESIDE.model_copy(update={"beside_rank": 8})


def saved(base: BaseModel, result: TrainingResult, out: Path) -> Checkpoint:
    made_by = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    manifest = save_adapter(out, base.identity, base.model, result, HALF, made_by)
    assert manifest.rank == HALF.rank
    return Checkpoint(ModelRef(base=base.identity.digest, adapter=manifest.adapter), out)


def test_the_changes_of_two_runs_find_room_in_an_adapter_of_a_larger_rank(base: BaseModel, tmp_path: Path) -> None:
    """Half the recipe's rank a run: each change is of that half, and merging loses nothing of either."""
    first = trained(base, HALF, None)
    parent = saved(base, first, tmp_path / "first")
    (second,) = train_many(base, [TrainingJob(examples=FIRST, rules=HALF, seed=5, parent=parent)])
    before, after = added(first.tensors), added(second.tensors)
    for layer, product in after.items():
        assert torch.linalg.matrix_rank(before[layer], rtol=1e-4) <= 8
        assert torch.linalg.matrix_rank(product, rtol=1e-4) > 8
        # What merging drops of 24 ranks is the 17th direction and beyond, of which two changes of eight have none.
        assert 0 < torch.linalg.matrix_rank(product - before[layer], rtol=1e-3) <= 8


def test_a_first_run_that_trains_half_the_rank_leaves_ranks_that_add_nothing_and_can_be_trained_on(
    base: BaseModel,
) -> None:
    tensors = trained(base, HALF, None).tensors
    for name, tensor in tensors.items():
        side = tensor if name.endswith("lora_A.weight") else tensor.T
        assert len(side) == HALF.rank
        spare = side[8:]
        assert bool((spare != 0).any(dim=1).all()) == name.endswith("lora_A.weight")
        assert side[:8].abs().sum() > 0


def test_a_share_of_a_first_run_is_that_share_of_what_it_adds(base: BaseModel) -> None:
    whole = added(trained(base, HALF, None).tensors)
    half = added(trained(base, HALF.model_copy(update={"interpolation": 0.5}), None).tensors)
    assert all(torch.allclose(half[layer], product / 2, atol=1e-6) for layer, product in whole.items())


@pytest.mark.parametrize("beside", [False, True])
def test_what_diverged_has_no_finite_loss_and_the_shape_of_the_others(
    base: BaseModel, tmp_path: Path, beside: bool
) -> None:
    parent = saved(base, trained(base, HALF, None), tmp_path / "first") if beside else None
    wild = HALF.model_copy(update={"learning_rate": 1.0, "clip_norm": 1e30, "epochs": 60, "covariance_damping": None})
    jobs = [TrainingJob(examples=SECOND, rules=rules, seed=2, parent=parent) for rules in (wild, HALF)]
    lost, sound = train_many(base, [jobs[0], jobs[1]])
    assert {name: tensor.shape for name, tensor in lost.tensors.items()} == {
        name: tensor.shape for name, tensor in sound.tensors.items()
    }
    finite = all(bool(tensor.isfinite().all()) for tensor in lost.tensors.values())
    assert finite or math.isnan(lost.final_loss)


def test_a_cold_job_and_two_beside_a_parent_are_trained_as_each_would_be_alone(
    base: BaseModel, parent: Checkpoint
) -> None:
    wide = BESIDE.model_copy(update={"rank": 32, "alpha": 64})
    jobs = [
        TrainingJob(examples=SECOND, rules=wide, seed=1),
        TrainingJob(examples=SECOND, rules=BESIDE, seed=2, parent=parent),
        TrainingJob(examples=FIRST, rules=BESIDE, seed=3, parent=parent),
    ]
    for job, together in zip(jobs, train_many(base, jobs), strict=True):
        (alone,) = train_many(base, [job])
        for layer, product in added(alone.tensors).items():
            assert torch.allclose(added(together.tensors)[layer], product, atol=1e-4)


def test_decay_of_what_stays_as_it_is_is_refused(base: BaseModel, parent: Checkpoint) -> None:
    with pytest.raises(BadInput, match="weight_decay"):
        trained(base, BESIDE.model_copy(update={"weight_decay": 0.1}), parent)
