"""A key-value cache with spare capacity, so that a new token does not copy all earlier ones. Knows no model."""

from typing import Any

import torch
import torch.nn.functional as F
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_SPARE = 64  # tokens


def roomy_cache(config: Any) -> DynamicCache:
    """A DynamicCache whose plain layers have spare capacity; sliding and other layers are the library's own."""
    cache = DynamicCache(config=config)
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values (rows, heads, tokens, width) as views of tensors with spare tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None
        self._storage: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends new states (rows, heads, new tokens, width) and returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used = self.get_seq_length()
        wanted = used + key_states.shape[-2]
        if not self._storage or wanted > self._storage[0].shape[-2]:
            pairs = ((key_states, self.keys), (value_states, self.values))
            self._storage = [_grown(new, old, used, wanted) for new, old in pairs]
        for storage, new in zip(self._storage, (key_states, value_states), strict=True):
            storage[:, :, used:wanted] = new
        keys, values = (storage[:, :, :wanted] for storage in self._storage)
        self.keys, self.values = keys, values
        return keys, values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keeps these rows; spare capacity is allocated again when it is needed."""
        super().batch_select_indices(indices)
        self._storage = []

    def batch_repeat_interleave(self, repeats: int | torch.Tensor) -> None:
        """Repeats each row, all alike or each by its own number; spare capacity comes when it is needed."""
        super().batch_repeat_interleave(repeats)
        self._storage = []


def token_bytes(model: Any) -> int:
    """Bytes that the keys and values of one token take."""
    config = model.config.get_text_config()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * next(model.parameters()).element_size())


def join_caches(first: DynamicCache, second: DynamicCache) -> None:
    """Adds the rows of `second` to `first`, the shorter padded on the left. Only for caches of plain layers."""
    longest = max(first.get_seq_length(), second.get_seq_length())
    for layer, other in zip(first.layers, second.layers, strict=True):
        layer.keys = torch.cat([pad_left(each, longest) for each in (layer.keys, other.keys)])
        layer.values = torch.cat([pad_left(each, longest) for each in (layer.values, other.values)])
        layer._storage = []


def trim_cache(cache: DynamicCache, places: int) -> None:
    """Drops the first `places` tokens of every row: padding that no row needs. Only for caches of plain layers."""
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[:, :, places:], layer.values[:, :, places:]
        layer._storage = []


def pad_left(states: torch.Tensor, longest: int) -> torch.Tensor:
    """(rows, heads, tokens, width) or (rows, tokens), with zeros before the tokens up to `longest`."""
    missing = longest - (states.shape[-2] if states.dim() == 4 else states.shape[-1])
    return F.pad(states, (0, 0, missing, 0) if states.dim() == 4 else (missing, 0)) if missing else states


def _grown(new: torch.Tensor, old: torch.Tensor | None, used: int, wanted: int) -> torch.Tensor:
    rows, heads, _, width = new.shape
    grown = new.new_empty(rows, heads, wanted + _SPARE, width)
    if old is not None and used:
        grown[:, :, :used] = old
    return grown
