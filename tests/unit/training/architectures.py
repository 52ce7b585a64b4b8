"""Small models of several architectures, made at random, adapters for them, and a training step."""

from typing import Any

import torch
import transformers

from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.stack import Stack, shapes_of, stack_of, start_of
from pipeline.training.jobs import FREE, Hold, Microbatch
from pipeline.training.lora_linear import adapters_on
from pipeline.training.objective import Objective

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {"num_key_value_heads": 1, "head_dim": 16}
WINDOW = {"sliding_window": 4, **GROUPED}
RAGGED = {
    "llama": transformers.LlamaConfig(num_key_value_heads=1, **SIZES),
    "mistral": transformers.MistralConfig(**WINDOW, **SIZES),
    "qwen3": transformers.Qwen3Config(**GROUPED, **SIZES),
    "gemma": transformers.GemmaConfig(**GROUPED, **SIZES),
    "gemma3": transformers.Gemma3TextConfig(**WINDOW, **SIZES),
    "gpt2": transformers.GPT2Config(
        vocab_size=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    ),
    "gpt_neox": transformers.GPTNeoXConfig(**SIZES),
}
PADDED = {
    "gemma2": transformers.Gemma2Config(**WINDOW, **SIZES),  # caps its attention's logits
    "falcon": transformers.FalconConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, bos_token_id=1, eos_token_id=2
    ),
}


def model_of(config: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)


def adapters(model: Any, count: int) -> Stack:
    shapes = shapes_of(linear_layers(model), 4)
    flat = torch.stack([start_of(shapes, seed, None) for seed in range(count)])
    noise = 0.05 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(3))
    return stack_of(flat + noise, shapes)


def step(
    model: Any, objective: Objective, batch: list[list[int]], stack: Stack, *, hold: Hold = FREE, shared: bool = True
) -> torch.Tensor:
    """The losses of a step with these rows of each adapter, whose gradients are added to the stack's."""
    microbatches = [Microbatch(rows=rows, holds=[hold] * len(rows)) for rows in batch]
    with adapters_on(model, stack, scale=2.0, targets=()) as adapted, objective.attention():
        losses = objective.losses(adapted, microbatches, shared=shared)
        losses.sum().backward()  # type: ignore[no-untyped-call]
    return losses.detach()
