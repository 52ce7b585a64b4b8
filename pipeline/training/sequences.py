"""Encoded examples as one long list of tokens, the batches made of them, and their order. Knows no model."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import torch

from pipeline.chat import Encoded
from pipeline.errors import BadInput
from pipeline.training.attention import AttentionLayout, Numbers, layout_of
from pipeline.training.lora_linear import TokenLayout, arranged


@dataclass(frozen=True, eq=False)
class Batch:
    """The tokens of a step, adapter after adapter.

    Without padding `ids` and `positions` are (1, T), and `attention` says where the sequences lie. With padding, for
    models whose attention cannot be replaced, `ids` are (rows, length), and the other two None.
    `tokens`: which adapter each token, or with padding each row, belongs to.
    `learned`: the places among the flattened ids whose next tokens, `targets`, are learned, `counts` of each adapter.
    """

    ids: torch.Tensor
    positions: torch.Tensor | None
    attention: AttentionLayout | None
    tokens: TokenLayout
    learned: torch.Tensor
    targets: torch.Tensor
    counts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sequences:
    """The tokens of all sequences one after another, and for each whether its next token is learned (a last one's: no).

    `starts[i]` counts the tokens before sequence i, `learned_starts[i]` the learned ones.
    """

    ids: Numbers
    learned: Numbers
    starts: Numbers
    learned_starts: Numbers
    device: torch.device

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(np.diff(self.starts).tolist())

    def batch(self, rows_of: Sequence[Sequence[int]], *, padded: bool = False) -> Batch:
        """The batch in which adapter i sees the sequences `rows_of[i]`."""
        rows = np.fromiter(chain.from_iterable(rows_of), dtype=np.int64)
        sizes = self.starts[rows + 1] - self.starts[rows]
        counts = tuple(self.learned_in(own) for own in rows_of)
        if padded:
            return self._padded(rows, sizes, [len(own) for own in rows_of], counts)
        edges = np.cumsum([0, *map(len, rows_of)])
        layout, order = arranged([int(sizes[first:last].sum()) for first, last in pairwise(edges)], filled=True)
        tokens = _runs(self.starts[rows], sizes)
        places, lone = np.asarray(order), order.count(-1)
        places[places < 0] = np.arange(len(tokens), len(tokens) + lone)  # padding items are sequences of one token
        learned = np.flatnonzero(self.learned[tokens])
        moved = np.empty_like(places)
        moved[places] = np.arange(len(places))
        positions = np.concatenate([tokens - np.repeat(self.starts[rows], sizes), np.zeros(lone, dtype=np.int64)])
        ids = np.concatenate([self.ids[tokens], np.zeros(lone, dtype=np.int64)])
        return Batch(
            ids=self._tensor(ids[places])[None],
            positions=self._tensor(positions[places])[None],
            attention=layout_of([*sizes.tolist(), *[1] * lone], self.device, places),
            tokens=layout,
            learned=self._tensor(moved[learned]),
            targets=self._tensor(self.ids[tokens[learned] + 1]),
            counts=counts,
        )

    def learned_in(self, rows: Sequence[int]) -> int:
        """How many tokens of these rows are learned."""
        return int(sum(self.learned_starts[row + 1] - self.learned_starts[row] for row in rows))

    def spans(self, rows_of: Sequence[Sequence[int]]) -> torch.Tensor:
        """The places of a batch's learned tokens, in its order, in the list of all sequences' learned tokens."""
        rows = np.fromiter(chain.from_iterable(rows_of), dtype=np.int64)
        first = self.learned_starts[rows]
        return torch.from_numpy(_runs(first, self.learned_starts[rows + 1] - first))

    def _padded(self, rows: Numbers, sizes: Numbers, rows_each: list[int], counts: tuple[int, ...]) -> Batch:
        """Rows padded on the right, where causal attention never looks."""
        layout, order = arranged(rows_each, filled=False)
        place_of = np.argsort(order)
        steps = np.arange(int(sizes.max()))
        inside = steps[None, :] < sizes[:, None]
        tokens = np.where(inside, self.starts[rows][:, None] + steps[None, :], 0)
        row, step = np.nonzero(self.learned[tokens] & inside)
        return Batch(
            ids=self._tensor(self.ids[tokens[order]]),
            positions=None,
            attention=None,
            tokens=layout,
            learned=self._tensor(place_of[row] * len(steps) + step),
            targets=self._tensor(self.ids[tokens[row, step] + 1]),
            counts=counts,
        )

    def _tensor(self, numbers: Numbers) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self.device)


def make_sequences(encoded: Sequence[Encoded], limit: int, device: torch.device) -> Sequences:
    """The sequences on `device`.

    Raises BadInput where there is none, one is longer than `limit` tokens, or one has no token to learn.
    """
    if not encoded:
        raise BadInput("there is nothing to train on. Give the update at least one example.")
    check_length([len(example.ids) for example in encoded], limit)
    if any(not any(example.loss[1:]) for example in encoded):
        raise BadInput("an example has nothing to learn. Leave out examples with an empty completion.")
    return Sequences(
        ids=np.concatenate([example.ids for example in encoded]),
        learned=np.concatenate([[*example.loss[1:], False] for example in encoded]),
        starts=np.cumsum([0, *(len(example.ids) for example in encoded)]),
        learned_starts=np.cumsum([0, *(sum(example.loss[1:]) for example in encoded)]),
        device=device,
    )


def check_length(lengths: Sequence[int], limit: int) -> None:
    """Raises BadInput where a sequence has more than `limit` tokens."""
    if max(lengths) > limit:
        raise BadInput(
            f"an example has {max(lengths)} tokens, and a sequence may have {limit}. "
            "Chunk the document, or raise training.max_tokens up to the model's context."
        )


def epoch_order(lengths: Sequence[int], batch_size: int, draw: random.Random) -> list[list[int]]:
    """One epoch's batches of rows, drawn at random, but each with as many long and short sequences as any other.

    So steps have similar numbers of tokens, without batches of similar lengths, which train worse.
    """
    count = -(-len(lengths) // batch_size)
    longest_first = sorted(range(len(lengths)), key=lambda row: (-lengths[row], draw.random()))
    batches: list[list[int]] = [[] for _ in range(count)]
    for start in range(0, len(lengths), count):
        stratum = longest_first[start : start + count]
        for batch, row in zip(draw.sample(batches, len(stratum)), stratum, strict=True):
            batch.append(row)
    return batches


def _runs(starts: Numbers, sizes: Numbers) -> Numbers:
    """The numbers start, start + 1, ... of each run of `sizes`, one run after another."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1])) - np.repeat(ends - sizes, sizes) + np.repeat(starts, sizes)
