"""One step's tokens, adapter after adapter, and where its sequences lie. Knows no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.training.token_layout import TokenLayout

if TYPE_CHECKING:
    import torch

Numbers = Any  # a numpy array of integers or booleans
_WASTE = 1.3  # padded places to real ones within a bucket
_BUCKETS = 6


@dataclass(frozen=True, eq=False)
class AttentionLayout:
    """How the sequences of a row of T tokens are put side by side for attention, in buckets of alike lengths.

    `buckets`: (sequences, length) of each. `taken` (N,): the token at each padded place, in the padding the sequence's
    own first one; `real` (N,): whether it is no padding; `places` (T,): the padded place of each token.
    """

    buckets: tuple[tuple[int, int], ...]
    taken: "torch.Tensor"
    real: "torch.Tensor"
    places: "torch.Tensor"


@dataclass(frozen=True, eq=False)
class Batch:
    """The tokens of a step. `parts`: whose they are, in rows where there are rows, else in tokens.

    Without padding: `ids` and `positions` are (1, T), and `layout` says where the sequences lie. With padding (for
    models whose attention cannot be told): `ids` are (rows, length), and the others None. `learned` are the places,
    among the flattened ids, whose next tokens `targets` are learned, adapter after adapter, `counts` of each.
    """

    ids: "torch.Tensor"
    positions: "torch.Tensor | None"
    layout: AttentionLayout | None
    learned: "torch.Tensor"
    targets: "torch.Tensor"
    parts: TokenLayout
    counts: tuple[int, ...]


def layout_of(lengths: Sequence[int], device: "torch.device", order: Numbers | None = None) -> AttentionLayout:
    """The layout of sequences of these lengths, whose tokens lie one after another, or in that `order` of those."""
    import torch

    sizes = np.asarray(lengths)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    shortest_first = np.argsort(sizes, kind="stable")
    buckets, taken, real, place = [], [], [], 0
    places = np.empty(int(sizes.sum()), dtype=np.int64)
    for members in _buckets(sizes, shortest_first):
        length = int(sizes[members[-1]])
        steps = np.arange(length)
        inside = steps[None, :] < sizes[members][:, None]
        tokens = starts[members][:, None] + np.where(inside, steps[None, :], 0)
        places[tokens[inside]] = place + np.flatnonzero(inside)
        buckets.append((len(members), length))
        taken.append(tokens.ravel())
        real.append(inside.ravel())
        place += inside.size
    if order is not None:
        moved = np.empty_like(order)
        moved[order] = np.arange(len(order))
        taken, places = [moved[tokens] for tokens in taken], places[order]
    return AttentionLayout(
        buckets=tuple(buckets),
        taken=torch.from_numpy(np.concatenate(taken)).to(device),
        real=torch.from_numpy(np.concatenate(real)).to(device),
        places=torch.from_numpy(places).to(device),
    )


def _buckets(sizes: Numbers, order: Numbers) -> list[Numbers]:
    """Cuts the sequences, shortest first, where one much longer than the bucket's average would pad it too much."""
    cuts: list[int] = []
    begun, real = 0, 0
    for at, member in enumerate(order):
        size = int(sizes[member])
        if at > begun and len(cuts) < _BUCKETS - 1 and size * (at - begun + 1) > _WASTE * (real + size):
            cuts.append(at)
            begun, real = at, 0
        real += size
    return [part for part in np.split(order, cuts) if len(part)]
