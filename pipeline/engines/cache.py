"""A key-value cache with room to grow, so that a new token does not copy all that went before. Knows no model.

Imported where it is used only: it needs transformers.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_ROOM = 64  # tokens


def roomy_cache(config: Any) -> DynamicCache:
    """A DynamicCache whose plain layers have room; sliding and other layers stay what the library makes them."""
    cache = DynamicCache(config=config)
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values (rows, heads, tokens, width) as views of tensors with more tokens than are used yet."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None
        self._held: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends new states (rows, heads, new tokens, width) and returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used = self.get_seq_length()
        wanted = used + key_states.shape[-2]
        if not self._held or wanted > self._held[0].shape[-2]:
            self._held = [_grown(key_states, self.keys, used, wanted), _grown(value_states, self.values, used, wanted)]
        for held, new in zip(self._held, (key_states, value_states), strict=True):
            held[:, :, used:wanted] = new
        keys, values = (held[:, :, :wanted] for held in self._held)
        self.keys, self.values = keys, values
        return keys, values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keeps these rows; the room is made anew when it is needed."""
        super().batch_select_indices(indices)
        self._held = []

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeats each row; the room is made anew when it is needed."""
        super().batch_repeat_interleave(repeats)
        self._held = []


def _grown(new: torch.Tensor, old: torch.Tensor | None, used: int, wanted: int) -> torch.Tensor:
    rows, heads, _, width = new.shape
    held = new.new_empty(rows, heads, wanted + _ROOM, width)
    if old is not None and used:
        held[:, :, :used] = old
    return held
