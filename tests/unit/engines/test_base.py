"""A base model loads from sound files only, and is known by their bytes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.adapters.identity import identify_base
from pipeline.engines import base as bases
from pipeline.engines.base import load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import BadInput, ModelMissing


@pytest.fixture
def model(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))


def test_a_base_loads_ready_for_use(model: Path) -> None:
    base = load_base(str(model), device="cpu")
    assert base.model.dtype is torch.float32
    assert base.context == 256
    assert not base.model.training
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert base.identity == identify_base(model)


def test_the_head_is_given_the_last_states_of_a_batch_in_one_piece(model: Path) -> None:
    """Else each row is multiplied with a copy of the weight of its own: gigabytes, and hundreds of times as long."""
    base, seen = load_base(str(model), device="cpu"), list[bool]()
    head = base.model.get_output_embeddings()
    assert head is not None
    head.register_forward_pre_hook(lambda _, given: seen.append(given[0].is_contiguous()))
    LocalEngine(base).generate(["one", "two"], SamplingParams(max_new_tokens=2), adapter=None)
    assert seen == [True] * len(seen)
    assert seen


@pytest.mark.parametrize(
    ("name", "changed"),
    [("config.json", "model"), ("tokenizer.json", "tokenizer"), ("chat_template.jinja", "chat_template")],
)
def test_identity_follows_the_bytes_of_each_part(model: Path, name: str, changed: str) -> None:
    before = identify_base(model)
    with (model / name).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    after = identify_base(model)
    assert [part for part in vars(before) if getattr(before, part) != getattr(after, part)] == [changed]


def test_identity_does_not_follow_the_place(model: Path, tmp_path: Path) -> None:
    assert identify_base(model) == identify_base(Path(shutil.copytree(model, tmp_path / "elsewhere")))


def test_a_missing_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="there is no model folder"):
        load_base(str(tmp_path / "nothing"))


def test_a_hub_id_that_is_not_cached_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelMissing, match="local cache"):
        load_base("nobody/nothing-of-the-kind")


@pytest.mark.parametrize(
    ("name", "words"),
    [("config.json", "config.json"), ("model.safetensors", "no \\*.safetensors"), ("tokenizer.json", "no tokenizer")],
)
def test_a_missing_file_is_named(model: Path, name: str, words: str) -> None:
    (model / name).unlink()
    with pytest.raises(ModelMissing, match=words):
        load_base(str(model))


def test_pickled_weights_are_refused(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(ModelMissing, match="pickle"):
        load_base(str(model))


def test_damaged_weights_are_named(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelMissing, match="not readable as safetensors"):
        load_base(str(model))


def test_lacking_weights_are_not_made_up_at_random(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelMissing, match=r"lack model\.layers\.1\.mlp\.up_proj\.weight"):
        load_base(str(model))


def test_an_unknown_architecture_is_a_typed_error(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"model_type": "unheard-of", "architectures": ["X"]}))
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        load_base(str(model))


def test_unknown_device_and_dtype_are_bad_input(model: Path) -> None:
    with pytest.raises(BadInput, match="device"):
        load_base(str(model), device="abacus")
    with pytest.raises(BadInput, match="dtype"):
        load_base(str(model), device="cpu", dtype="int3")


@pytest.mark.parametrize(
    ("capability", "saved", "wanted"),
    [
        ("avx512_bf16", torch.bfloat16, torch.bfloat16),
        ("amx_bf16", torch.bfloat16, torch.bfloat16),
        ("avx2", torch.bfloat16, torch.float32),
        ("avx512_bf16", torch.float32, torch.float32),
    ],
)
def test_a_processor_that_multiplies_bfloat16_computes_in_the_checkpoints_type(
    model: Path, monkeypatch: pytest.MonkeyPatch, capability: str, saved: torch.dtype, wanted: torch.dtype
) -> None:
    load_base(str(model), device="cpu").model.to(saved).save_pretrained(model)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True})
    assert load_base(str(model), device="cpu").model.dtype is wanted
    assert load_base(str(model), device="cpu", dtype="float32").model.dtype is torch.float32


def test_a_float16_checkpoint_is_not_trained_in_float16(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card, where the type is the checkpoint's own."""
    loaded = load_base(str(model), device="cpu").model
    monkeypatch.setattr(bases, "_placement", lambda device, dtype: (torch.device("cpu"), "auto"))
    for dtype, wanted in ((torch.float16, torch.float32), (torch.bfloat16, torch.bfloat16)):
        loaded.to(dtype).save_pretrained(model)
        assert load_base(str(model)).model.dtype is wanted


@pytest.mark.parametrize(("device", "cards"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_card_that_is_not_there_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch, device: str, cards: int
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    with pytest.raises(BadInput, match=f"'{device}'"):
        load_base(str(model), device=device)


def sharded(model: Path, named: str) -> None:
    """The weights under another name, and an index that says each tensor lies in `named`."""
    from safetensors.torch import load_file

    tensors = load_file(model / "model.safetensors")
    (model / "model.safetensors").rename(model / "shard.safetensors")
    torch.save(tensors, model / "shard.bin")
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, named)}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def test_weights_in_shards_load(model: Path) -> None:
    sharded(model, "shard.safetensors")
    assert load_base(str(model), device="cpu").context == 256


@pytest.mark.parametrize("named", ["shard.bin", "../model/shard.safetensors", "/tmp/shard.safetensors", 7])
def test_an_index_that_names_a_pickle_or_a_file_elsewhere_is_refused(model: Path, named: str) -> None:
    """The library would unpickle the one, and load the other, which nobody hashed."""
    sharded(model, named)
    with pytest.raises(ModelMissing, match="not only the"):
        load_base(str(model), device="cpu")


@pytest.mark.parametrize("text", ["[]", "{}", "not JSON", '{"weight_map": []}'])
def test_an_index_that_is_none_is_refused(model: Path, text: str) -> None:
    (model / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelMissing, match="Copy the model again"):
        load_base(str(model), device="cpu")


@pytest.mark.parametrize("named", ["adapter_model.bin", "sub/model.safetensors"])
def test_a_configuration_that_names_its_weights_is_refused(model: Path, named: str) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"transformers_weights": named}))
    with pytest.raises(ModelMissing, match="transformers_weights"):
        load_base(str(model), device="cpu")


def test_an_adapter_beside_the_base_is_not_loaded_with_it(model: Path) -> None:
    (model / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "x"}))
    with pytest.raises(ModelMissing, match="Merge it into the weights"):
        load_base(str(model), device="cpu")
