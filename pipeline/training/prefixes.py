"""What sequences begin with in common, so that a batch computes it once. Knows no model.

A state depends only on the tokens up to its own, so sequences that begin alike begin with the same states. A state
that a token is learned from stays its sequence's own, since what is learned there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.training.attention import Numbers


@dataclass(frozen=True, eq=False)
class Prefixes:
    """R sequences in the order of their prefixes, in which those that begin alike are neighbours.

    `lengths` (R,): the tokens of each that may be shared. `ranks` (R,): its place in the order. `common` (R,): how many
    of them the sequence at each place shares with the one before it.
    """

    lengths: Numbers
    ranks: Numbers
    common: Numbers

    def order(self, rows: Sequence[int]) -> list[int]:
        """The places of these rows among themselves, in the order of their prefixes."""
        return sorted(range(len(rows)), key=lambda place: self.ranks[rows[place]])

    def shared(self, before: int, row: int) -> int:
        """How many tokens a row has in common with one that is not after it in the order; it may be the same."""
        between = self.common[self.ranks[before] + 1 : self.ranks[row] + 1]
        return int(between.min(initial=self.lengths[row]))

    def owners(self, rows_of: Sequence[Sequence[int]], starts: Numbers) -> Numbers:
        """For each token of a batch the one that is computed in its stead: itself, or the same of a row before it.

        Both are places among the tokens of all rows one after another, each beginning where `starts` says, and its
        end last. Nothing is shared between the lists of `rows_of`, which have an adapter each.
        """
        owner, begun = np.arange(int(starts[-1])), 0
        for rows in rows_of:
            for before, place in pairwise(self.order(rows)):
                count = self.shared(rows[before], rows[place])
                source, target = starts[begun + before], starts[begun + place]
                owner[target : target + count] = owner[source : source + count]
            begun += len(rows)
        return owner


def prefixes_of(ids: Numbers, learned: Numbers, starts: Numbers) -> Prefixes:
    """The prefixes of sequences whose tokens lie one after another, each with at least one learned token."""
    lengths = np.array([np.argmax(learned[start:end]) for start, end in pairwise(starts)])
    heads = [ids[start : start + length] for start, length in zip(starts[:-1], lengths, strict=True)]
    keys = [tuple(head.tolist()) for head in heads]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    common = [0, *(_common(heads[before], heads[row]) for before, row in pairwise(order))]
    return Prefixes(lengths=lengths, ranks=ranks, common=np.array(common))


def _common(one: Numbers, other: Numbers) -> int:
    """How many tokens two sequences begin with in common."""
    shorter = min(len(one), len(other))
    apart = np.flatnonzero(one[:shorter] != other[:shorter])
    return int(apart[0]) if len(apart) else shorter
