"""Encoded examples as tensors, and the order in which they are trained on. Knows no model."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from pipeline.errors import BadInput

if TYPE_CHECKING:
    import torch

    from pipeline.chat import Encoded

_POOL = 8  # batches whose sequences are sorted by length together


@dataclass(frozen=True, eq=False)
class Sequences:
    """Right-padded ids (N, L), where a place's next token is learned (N, L), lengths, and where each row's tokens lie.

    Causal attention never looks right, so the padding needs no mask. `starts[i]` counts the learned tokens before
    sequence i: the learned tokens of all sequences, one after another, form one long list. Row N is all padding.
    """

    ids: "torch.Tensor"
    learned: "torch.Tensor"
    lengths: tuple[int, ...]
    starts: tuple[int, ...]

    @property
    def device(self) -> "torch.device":
        return self.ids.device

    def batch(self, lanes: Sequence[Sequence[int]]) -> "tuple[torch.Tensor, torch.Tensor]":
        """Ids (K x n, l) of each adapter's rows, cut at the longest, and the learned places of the flattened ids.

        n is the most rows an adapter has; the others' are filled up with padding, which teaches nothing.
        """
        import torch

        most = max(len(rows) for rows in lanes)
        longest = max(self.lengths[row] for rows in lanes for row in rows)
        padding = len(self.lengths)
        filled = [[*rows, *[padding] * (most - len(rows))] for rows in lanes]
        chosen = torch.tensor(list(chain.from_iterable(filled)), device=self.device)
        places = self.learned[chosen, :longest].flatten().nonzero()[:, 0]
        return self.ids[chosen, :longest], places

    def learned_in(self, rows: Sequence[int]) -> int:
        """How many tokens of these rows are learned."""
        return sum(self.starts[row + 1] - self.starts[row] for row in rows)

    def spans(self, lanes: Sequence[Sequence[int]]) -> "torch.Tensor":
        """Places in the list of learned tokens of these rows' learned tokens, in the order a batch has them."""
        import torch

        rows = chain.from_iterable(lanes)
        return torch.cat([torch.arange(self.starts[row], self.starts[row + 1]) for row in rows])


def make_sequences(encoded: Sequence["Encoded"], limit: int, device: "torch.device") -> Sequences:
    """Raises BadInput where there is none, one is longer than `limit` tokens, or one has nothing to learn."""
    import torch

    if not encoded:
        raise BadInput("there is nothing to train on. Give the update at least one example.")
    longest = max(len(example.ids) for example in encoded)
    if longest > limit:
        raise BadInput(
            f"an example has {longest} tokens, and a sequence may have {limit}. "
            "Chunk the document, or raise training.max_tokens up to the model's context."
        )
    if any(not any(example.loss[1:]) for example in encoded):
        raise BadInput("an example has nothing to learn. Leave out examples with an empty completion.")
    ids = torch.zeros(len(encoded) + 1, longest, dtype=torch.long)
    learned = torch.zeros(len(encoded) + 1, longest, dtype=torch.bool)
    starts = [0]
    for row, example in enumerate(encoded):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        learned[row, : len(example.ids) - 1] = torch.tensor(example.loss[1:])
        starts.append(starts[-1] + sum(example.loss[1:]))
    lengths = tuple(len(example.ids) for example in encoded)
    return Sequences(ids=ids.to(device), learned=learned.to(device), lengths=lengths, starts=tuple(starts))


def epoch_order(lengths: Sequence[int], batch_size: int, draw: random.Random) -> list[list[int]]:
    """One epoch's batches: shuffled, but alike lengths share a batch, so that little is padded."""
    order = list(range(len(lengths)))
    draw.shuffle(order)
    batches = []
    for start in range(0, len(order), batch_size * _POOL):
        pool = sorted(order[start : start + batch_size * _POOL], key=lambda row: lengths[row])
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    draw.shuffle(batches)
    return batches
