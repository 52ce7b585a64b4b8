"""Models that no run could use are refused before anything trains, and what no adapter changes is named."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers

from benchmarks.releases import save_random
from pipeline.adapters.attachment import linear_layers, unadapted
from pipeline.adapters.format import read_manifest
from pipeline.engines.base import load_base
from pipeline.errors import ModelMissing
from pipeline.models.support import check_supported
from pipeline.sandbox import model_path
from tests.training_jobs import FROM

SMALL: dict[str, Any] = {
    "vocab_size": 3_000,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "eos_token_id": 0,
}


def saved(config: Any, folder: Path) -> Path:
    """A model of these shapes with the embedded model's tokenizer."""
    for file in model_path().iterdir():
        if file.is_file() and "token" in file.name:
            shutil.copy(file, folder)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def test_the_embedded_model_is_supported_and_wholly_adapted() -> None:
    base = load_base(str(model_path()), device="cpu")
    check_supported(base)
    assert unadapted(base.model) == ""


def test_a_model_with_a_running_state_is_refused(tmp_path: Path) -> None:
    config = transformers.RwkvConfig(vocab_size=3_000, hidden_size=32, num_hidden_layers=2, context_length=64)
    with pytest.raises(ModelMissing, match="keeps a running state"):
        check_supported(load_base(str(saved(config, tmp_path)), device="cpu"))


def test_a_tokenizer_that_is_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    config = transformers.LlamaConfig(**{**SMALL, "vocab_size": 700})
    with pytest.raises(ModelMissing, match="the model 700: it is another model's"):
        check_supported(load_base(str(saved(config, tmp_path)), device="cpu"))


SPARSE: dict[str, Any] = {
    "Mixtral": lambda: transformers.MixtralConfig(num_local_experts=4, num_experts_per_tok=2, **SMALL),
    "Qwen3-MoE": lambda: transformers.Qwen3MoeConfig(
        num_experts=4, num_experts_per_tok=2, moe_intermediate_size=64, head_dim=8, decoder_sparse_step=1, **SMALL
    ),
    "OLMoE": lambda: transformers.OlmoeConfig(num_experts=4, num_experts_per_tok=2, **SMALL),
    "gpt-oss": lambda: transformers.GptOssConfig(num_local_experts=4, num_experts_per_tok=2, head_dim=8, **SMALL),
}


@pytest.mark.parametrize("kind", SPARSE)
def test_experts_that_no_adapter_changes_are_named_in_the_manifest(tmp_path: Path, kind: str) -> None:
    base = load_base(str(saved(SPARSE[kind](), tmp_path)), device="cpu")
    check_supported(base)
    save_random(base, tmp_path / "adapter", FROM, seed=1)
    told = read_manifest(tmp_path / "adapter").unadapted
    assert told == unadapted(base.model)
    share = re.fullmatch(r"experts \((\d+) % of the weights\)", told)
    assert share
    assert 50 < int(share[1]) < 100


def test_a_model_whose_adapter_peft_would_load_wrongly_is_refused(tmp_path: Path) -> None:
    experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "first_k_dense_replace": 0}
    config = transformers.Glm4MoeConfig(head_dim=8, n_group=1, topk_group=1, **experts, **SMALL)
    with pytest.raises(ModelMissing, match="PEFT does not load LoRA on the layers of Glm4MoeForCausalLM as it is"):
        check_supported(load_base(str(saved(config, tmp_path)), device="cpu"))


def test_of_a_model_that_sees_only_the_language_layers_are_adapted() -> None:
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = transformers.Gemma3Config(
        text_config={"head_dim": 8, **SMALL}, vision_config={"image_size": 28, "patch_size": 14, **vision}
    )
    layers = linear_layers(transformers.Gemma3ForConditionalGeneration(config))
    assert len(layers) == 7
    assert all("vision" not in name and "projector" not in name for name in layers)
