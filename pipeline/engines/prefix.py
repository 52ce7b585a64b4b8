"""Attention of many samples to the one prompt they continue: its keys and values are stored, and read, once.

Shared-prefix attention (Hydragen, Juravsky et al. 2024), for architectures with plain attention; all others repeat
the prompt's cache row by row.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer

_NAME = "sealed_shared_prefix"
_PLAIN = {"llama", "mistral", "qwen2", "qwen3"}
_HIDDEN = -1e30  # a score that softmax makes zero


@dataclass(frozen=True)
class Prefix:
    """The prompts' keys and values (prompts, heads, tokens, width) by layer, and which prompt each row continues.

    Rows are ordered by prompt. `padding` is True where a prompt is padded: (prompts, tokens), None without any.
    `slot` (rows,): a row's place among those of its prompt, of which there are at most `slots`.
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    padding: torch.Tensor | None
    prompt: torch.Tensor
    slot: torch.Tensor
    slots: int

    @classmethod
    def of(cls, cache: DynamicCache, mask: torch.Tensor | None, copies: int) -> "Prefix":
        """The prefix that a prefill left in `cache`, to be continued `copies` times."""
        layers = tuple((layer.keys, layer.values) for layer in cache.layers)
        prompt = torch.arange(len(layers[0][0]), device=layers[0][0].device).repeat_interleave(copies)
        return _prefix(layers, None if mask is None else mask == 0, prompt)

    def keep(self, rows: torch.Tensor) -> "Prefix":
        """The prefix of these rows alone, with only the prompts that they continue."""
        counts = self.prompt[rows].bincount(minlength=len(self.layers[0][0]))
        prompts = counts.nonzero()[:, 0]
        prompt = torch.arange(len(prompts), device=counts.device).repeat_interleave(counts[prompts])
        layers = self.layers
        if len(prompts) < len(layers[0][0]):
            layers = tuple((keys[prompts], values[prompts]) for keys, values in layers)
        return _prefix(layers, None if self.padding is None else self.padding[prompts], prompt)

    def spread(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, heads, groups, width) -> (prompts, heads, slots x groups, width); empty slots are zero."""
        _, heads, groups, width = rows.shape
        prompts = len(self.layers[0][0])
        grid = rows.new_zeros(prompts, self.slots, heads, groups, width)
        grid[self.prompt, self.slot] = rows
        return grid.transpose(1, 2).reshape(prompts, heads, self.slots * groups, width)

    def gather(self, grid: torch.Tensor, groups: int) -> torch.Tensor:
        """The inverse of `spread`: (prompts, heads, slots x groups, width) -> (rows, heads, groups, width)."""
        prompts, heads, _, width = grid.shape
        return grid.view(prompts, heads, self.slots, groups, width).transpose(1, 2)[self.prompt, self.slot]


def can_share(model: Any, cache: DynamicCache) -> bool:
    """Whether this model's attention is one that `shared` can replace."""
    config = model.config
    plain = all(isinstance(layer, DynamicLayer) and not layer.is_sliding for layer in cache.layers)
    return plain and config.model_type in _PLAIN and config._attn_implementation in ("sdpa", "eager")


@contextmanager
def shared(model: Any) -> Iterator[None]:
    """In this context the model's forward takes `shared_prefix`, and a cache of the tokens after it only."""
    with replaced_attention(model, _NAME, _attend):
        yield


@contextmanager
def replaced_attention(model: Any, name: str, attend: Callable[..., Any]) -> Iterator[None]:
    """In this context the model's attention is `attend`, registered with transformers under `name`."""
    own = model.config._attn_implementation
    AttentionInterface.register(name, attend)
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(own)


def _prefix(layers: Any, padding: torch.Tensor | None, prompt: torch.Tensor) -> Prefix:
    counts = prompt.bincount(minlength=len(layers[0][0]))
    slot = torch.arange(len(prompt), device=prompt.device) - (counts.cumsum(0) - counts)[prompt]
    return Prefix(layers=layers, padding=padding, prompt=prompt, slot=slot, slots=int(counts.max()))


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: None,
    *,
    scaling: float,
    shared_prefix: Prefix,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one new token a row, query (rows, heads, 1, width), to its prompt's tokens and its own so far."""
    keys, values = shared_prefix.layers[module.layer_idx]
    rows, heads, width = query.shape[0], query.shape[1], query.shape[3]
    groups = heads // key.shape[1]
    query = (query * scaling).reshape(rows, key.shape[1], groups, width)
    scores = shared_prefix.spread(query) @ keys.transpose(-1, -2)
    if shared_prefix.padding is not None:
        scores = scores.masked_fill(shared_prefix.padding[:, None, None], _HIDDEN)
    scores = torch.cat([shared_prefix.gather(scores, groups), query @ key.transpose(-1, -2)], -1)
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    before, own = weights[..., : keys.shape[2]], weights[..., keys.shape[2] :]
    out = shared_prefix.gather(shared_prefix.spread(before) @ values, groups) + own @ value
    return out.reshape(rows, 1, heads, width), None
