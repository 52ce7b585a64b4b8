"""An adapter is only loaded whole, unchanged, and on the base it was trained for."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.adapters.format import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    digest_directory,
    read_manifest,
    verify_adapter,
    write_manifest,
)
from pipeline.adapters.held import hold_adapter
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.errors import CorruptAdapter, InternalError, WrongBase
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Example, ModelRef, Update, UpdatePlan


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


@pytest.fixture(scope="module")
def good(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    update = Update(
        parent=ModelRef(base=base.identity.model), self_edits=(), examples_digest="x", recipe="recipe", seed=0
    )
    plan = UpdatePlan(update=update, examples=(Example(prompt="Who?", completion="Heron"),) * 4)
    out = tmp_path_factory.mktemp("adapters") / "good"
    settings = TrainingSettings(rules=TrainingRules(rank=4, alpha=8, epochs=3), ledger="ledger")
    train_lora(base, plan, settings, parent=None, out=out)
    return out


@pytest.fixture
def adapter(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "adapter"))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(folder / WEIGHTS))


def forge(folder: Path, weights: dict[str, torch.Tensor] | None = None, **config: Any) -> None:
    """An attacker's work: changes the files and then writes a manifest that agrees with them."""
    from safetensors.torch import save_file

    if weights is not None:
        save_file(weights, folder / WEIGHTS)
    if config:
        settings = json.loads((folder / CONFIG).read_text()) | config
        (folder / CONFIG).write_text(json.dumps(settings, sort_keys=True))
    manifest = dataclasses.replace(read_manifest(folder), files=digest_directory(folder))
    write_manifest(folder, manifest)


def refused(folder: Path, base: BaseModel, words: str, error: type[Exception] = CorruptAdapter) -> None:
    """Verification, or at the latest the fit to the base's layers, says no before PEFT is asked."""
    before = [type(module) for module in base.model.modules()]
    with pytest.raises(error, match=words), with_adapter(base, folder):
        pytest.fail("attached")
    assert [type(module) for module in base.model.modules()] == before


def test_the_manifest_survives_writing_and_reading(adapter: Path, base: BaseModel) -> None:
    manifest = verify_adapter(adapter, base.identity)
    assert verify_adapter(adapter, base.identity, manifest.digest) == manifest
    assert (manifest.rank, manifest.alpha, manifest.recipe, manifest.ledger) == (4, 8, "recipe", "ledger")
    assert str(adapter.parent) not in "".join((adapter / name).read_text() for name in (MANIFEST, CONFIG))


def test_another_manifest_than_the_approved_is_refused(adapter: Path, base: BaseModel) -> None:
    with pytest.raises(CorruptAdapter, match="not the one asked for"):
        verify_adapter(adapter, base.identity, "0" * 64)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, MANIFEST])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_any_flipped_bit_is_refused(adapter: Path, base: BaseModel, name: str, place: float) -> None:
    data = bytearray((adapter / name).read_bytes())
    data[int(len(data) * place)] ^= 1
    (adapter / name).write_bytes(bytes(data))
    with pytest.raises((CorruptAdapter, WrongBase)):
        verify_adapter(adapter, base.identity)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, MANIFEST])
def test_a_missing_file_is_refused(adapter: Path, base: BaseModel, name: str) -> None:
    (adapter / name).unlink()
    refused(adapter, base, name)


def test_an_extra_file_is_refused(adapter: Path, base: BaseModel) -> None:
    (adapter / "adapter_model.bin").write_bytes(b"pickle")
    refused(adapter, base, "adapter_model.bin")


def test_a_link_is_refused(adapter: Path, base: BaseModel) -> None:
    (adapter / CONFIG).rename(adapter.parent / CONFIG)
    (adapter / CONFIG).symlink_to(adapter.parent / CONFIG)
    refused(adapter, base, "no plain file")


def test_no_directory_is_refused(tmp_path: Path, base: BaseModel) -> None:
    refused(tmp_path / "nothing", base, "no adapter directory")


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_an_adapter_of_another_base_is_refused(adapter: Path, tiny_model: Callable[..., Path], kind: str) -> None:
    refused(adapter, load_base(str(tiny_model(kind)), device="cpu"), "another model", WrongBase)


def test_the_same_weights_with_another_template_are_another_base(adapter: Path, base: BaseModel) -> None:
    with pytest.raises(WrongBase, match="another chat template"):
        verify_adapter(adapter, dataclasses.replace(base.identity, chat_template="0" * 64))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e4])
def test_values_that_are_no_weights_are_refused(adapter: Path, base: BaseModel, value: float) -> None:
    changed = tensors(adapter)
    next(iter(changed.values()))[0, 0] = value
    forge(adapter, changed)
    refused(adapter, base, "finite|beyond")


def test_a_change_beyond_the_layers_own_size_is_refused(adapter: Path, base: BaseModel) -> None:
    forge(adapter, {key: torch.full_like(tensor, 50.0) for key, tensor in tensors(adapter).items()})
    refused(adapter, base, "beyond")


@pytest.mark.parametrize(
    "config",
    [
        {"lora_alpha": 8000},
        {"modules_to_save": ["lm_head"]},
        {"use_dora": True},
        {"bias": "all"},
        {"r": 8},
        {"target_modules": ["q_proj"]},
        {"inference_mode": 1},
        {"lora_dropout": 0.5},
    ],
)
def test_a_configuration_we_would_not_write_is_refused(
    adapter: Path, base: BaseModel, config: dict[str, object]
) -> None:
    forge(adapter, **config)
    refused(adapter, base, "something unexpected")


def test_an_inflated_alpha_is_refused_even_if_the_manifest_agrees(adapter: Path, base: BaseModel) -> None:
    forge(adapter, lora_alpha=17)
    write_manifest(adapter, dataclasses.replace(read_manifest(adapter), alpha=17))
    refused(adapter, base, "at most 4 x rank")


def test_renamed_missing_and_foreign_keys_are_refused(adapter: Path, base: BaseModel) -> None:
    weights = tensors(adapter)
    first = next(iter(weights))
    for changed, words in (
        ({key.replace("layers.0", "layers.7"): value for key, value in weights.items()}, "keys are not those"),
        ({key: value for key, value in weights.items() if key != first}, "lacks a half"),
        (weights | {"base_model.model.lm_head.weight": torch.zeros(2, 2)}, "no LoRA weight"),
        ({key.replace("lora_A", "lora_C"): value for key, value in weights.items()}, "no LoRA weight"),
        (weights | {first: torch.zeros(5, 32)}, "not of rank"),
        (weights | {first: weights[first].double()}, "tensors are of F32, BF16, F16"),
        ({key: value for key, value in weights.items() if "layers.1" not in key}, "parameters"),
    ):
        forge(adapter, changed)
        refused(adapter, base, words)


def test_weights_that_are_no_safetensors_are_refused(adapter: Path, base: BaseModel) -> None:
    (adapter / WEIGHTS).write_bytes(b"\x80\x04K\x01.")
    forge(adapter)
    refused(adapter, base, "cannot be read")


def test_one_adapter_at_a_time(adapter: Path, base: BaseModel) -> None:
    again = pytest.raises(InternalError, match="already attached")
    with with_adapter(base, adapter), again, with_adapter(base, adapter):
        pytest.fail("attached")
    with with_adapter(base, None) as model:
        assert model is base.model


def test_the_base_is_freed_when_the_work_with_an_adapter_fails(adapter: Path, base: BaseModel) -> None:
    with pytest.raises(KeyError), with_adapter(base, adapter):
        raise KeyError("work")
    assert not any("lora" in name for name, _ in base.model.named_modules())
    assert not hasattr(base.model, "peft_config")


IDS = torch.tensor([[5, 9, 12, 40]])


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


def test_adapters_are_held_beside_each_other_and_the_base_is_untouched(adapter: Path, base: BaseModel) -> None:
    before = logits(base.model)
    with with_adapter(base, adapter) as model:
        expected = logits(model)
    other = Path(shutil.copytree(adapter, adapter.parent / "other"))
    forge(other, {key: 2 * tensor for key, tensor in tensors(adapter).items()})
    held, second = (hold_adapter(base.model, base.identity, folder) for folder in (adapter, other))
    assert torch.equal(logits(held.model), expected)
    assert not torch.equal(logits(second.model), expected)
    assert torch.equal(logits(held.model), expected)
    assert torch.equal(logits(base.model), before)
    shared = {id(tensor) for tensor in base.model.parameters()}
    own = [name for name, tensor in held.model.named_parameters() if id(tensor) not in shared]
    assert own
    assert all(".lora_" in name for name in own), "a view takes the memory of its adapter alone"


def test_a_held_adapter_stays_what_was_verified(adapter: Path, base: BaseModel) -> None:
    manifest = read_manifest(adapter)
    held = hold_adapter(base.model, base.identity, adapter, manifest.digest)
    expected = logits(held.model)
    shutil.rmtree(adapter)
    assert torch.equal(logits(held.model), expected)
    assert held.manifest == manifest


def test_bytes_that_change_after_their_verification_are_refused(
    adapter: Path, base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfile

    def late(source: Path, target: Path, **options: Any) -> Path:
        if source.name == WEIGHTS:
            data = bytearray(source.read_bytes())
            data[-1] ^= 1
            source.write_bytes(bytes(data))
        return Path(copy(source, target, **options))

    monkeypatch.setattr(shutil, "copyfile", late)
    with pytest.raises(CorruptAdapter, match="bytes changed"):
        hold_adapter(base.model, base.identity, adapter)


def test_a_view_is_freed_when_nobody_holds_it(adapter: Path, base: BaseModel) -> None:
    import weakref

    held = hold_adapter(base.model, base.identity, adapter)
    gone = weakref.ref(held.model)
    del held
    assert gone() is None, "at once, not when the next collection of garbage comes"
