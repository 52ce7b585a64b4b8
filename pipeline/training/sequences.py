"""Encoded examples as one long list of tokens, the batches made of them, and their order. Knows no model."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import torch

from pipeline.chat import Encoded
from pipeline.errors import BadInput
from pipeline.training.attention import AttentionLayout, Numbers, layout_of
from pipeline.training.lora_linear import TokenLayout, arranged
from pipeline.training.prefixes import Prefixes, prefixes_of


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

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        return tuple(np.diff(self.starts).tolist())

    @cached_property
    def prefixes(self) -> Prefixes:
        """What the sequences begin with in common."""
        return prefixes_of(self.ids, self.learned, self.starts)

    def batch(self, rows_of: Sequence[Sequence[int]], *, padded: bool = False, shared: bool = False) -> Batch:
        """The batch in which adapter i sees the sequences `rows_of[i]`.

        `shared`: what sequences of one adapter begin with in common is computed once; not with padding.
        """
        rows = np.fromiter(chain.from_iterable(rows_of), dtype=np.int64)
        sizes = self.starts[rows + 1] - self.starts[rows]
        counts = tuple(self.learned_in(own) for own in rows_of)
        if padded:
            return self._padded(rows, sizes, [len(own) for own in rows_of], counts)
        tokens, starts = _runs(self.starts[rows], sizes), np.concatenate(([0], np.cumsum(sizes)))
        owners = self.prefixes.owners(rows_of, starts) if shared else np.arange(len(tokens))
        layout, where = _row(owners, starts[np.cumsum([0, *map(len, rows_of)])])
        places, lone = where[: len(tokens)], len(where) - len(tokens)
        ids, positions = np.zeros((2, layout.items), dtype=np.int64)
        ids[places], positions[places] = self.ids[tokens], tokens - np.repeat(self.starts[rows], sizes)
        learned = np.flatnonzero(self.learned[tokens])
        return Batch(
            ids=self._tensor(ids)[None],
            positions=self._tensor(positions)[None],
            attention=layout_of([*sizes.tolist(), *[1] * lone], self.device, where),
            tokens=layout,
            learned=self._tensor(places[learned]),
            targets=self._tensor(self.ids[tokens[learned] + 1]),
            counts=counts,
        )

    def learned_in(self, rows: Sequence[int]) -> int:
        """How many tokens of these rows are learned."""
        return int(sum(self.learned_starts[row + 1] - self.learned_starts[row] for row in rows))

    def pieces(self, rows: Sequence[int], tokens: int, places: int) -> Iterator[list[int]]:
        """The rows in batches for one adapter that are computed in at most so many tokens; a longer row has its own.

        Those that begin alike come together. `places`: at most so many tokens where what is shared counts each time.
        """
        piece: list[int] = []
        computed = seen = 0
        for row in (rows[place] for place in self.prefixes.order(rows)):
            size = self.lengths[row]
            own = size - self.prefixes.shared(piece[-1], row) if piece else size
            if piece and (computed + own > tokens or seen + size > places):
                yield piece
                piece, computed, seen, own = [], 0, 0, size
            piece.append(row)
            computed, seen = computed + own, seen + size
        if piece:
            yield piece

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
    return np.arange(int(sizes.sum())) - np.repeat(ends - sizes, sizes) + np.repeat(starts, sizes)


def _row(owners: Numbers, edges: Numbers) -> tuple[TokenLayout, Numbers]:
    """The row of the tokens that are computed: their layout, and where each of all tokens stands in it.

    Adapter i's tokens lie between edges i and i + 1. After all come the padding items, sequences of one token each.
    """
    own = owners == np.arange(len(owners))
    layout, order = arranged([int(own[first:end].sum()) for first, end in pairwise(edges)], filled=True)
    stands = np.roll(np.argsort(order, kind="stable"), -order.count(-1))
    return layout, np.concatenate([stands[np.cumsum(own) - 1][owners], stands[int(own.sum()) :]])
