"""Randomly initialised models of real sizes, made on the fly with the sandbox's tokenizer, so that its examples encode.

They say how fast a training is, not what is learned.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.sandbox import model_path


@dataclass(frozen=True)
class Shape:
    """What a random model looks like: transformers' names for its sizes, and the type its weights are kept in."""

    kind: str
    dtype: torch.dtype
    sizes: dict[str, Any]


# 102 million parameters. The tokenizer uses the first few thousand of 32,000 rows: the head costs what it would cost.
LLAMA_100M = Shape(
    "llama",
    torch.float32,
    {
        "vocab_size": 32_000,
        "hidden_size": 768,
        "intermediate_size": 1792,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 12,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    },
)

# The shape of Qwen2.5-0.5B (494 million parameters), for a run on a card.
QWEN_HALF_B = Shape(
    "qwen2",
    torch.bfloat16,
    {
        "vocab_size": 151_936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32_768,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
    },
)


def make_random_model(folder: Path, shape: Shape, seed: int = 0) -> Path:
    """Writes model and tokenizer into `folder`, which then loads like any other. The same seed gives the same model."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_path(), local_files_only=True)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = AutoConfig.for_model(shape.kind, **shape.sizes, **ids)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=shape.dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
