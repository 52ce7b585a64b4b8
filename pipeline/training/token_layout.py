"""Whose the tokens of a step are, in an order that makes the adapters' products few and large. Knows no tensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.errors import BadInput

_PRODUCT = 32  # tokens that cost about as much as a product of one adapter's more


@dataclass(frozen=True)
class TokenLayout:
    """First `each` items of every one of `lanes` adapters, adapter after adapter; then more of some: (lane, items).

    Items are tokens, or rows of as many tokens each.
    """

    lanes: int
    each: int
    tail: tuple[tuple[int, int], ...] = ()

    @property
    def items(self) -> int:
        return self.lanes * self.each + sum(count for _, count in self.tail)

    def of(self, tokens: int) -> "TokenLayout":
        """The parts in tokens, of which there are `tokens`.

        Raises BadInput where a layer sees other tokens than the whole batch's, as an expert of a mixture does.
        """
        unit, left = divmod(tokens, self.items)
        if left:
            raise BadInput(
                "a layer of this model sees only some of a batch's tokens, as experts do, and cannot carry adapters. "
                "Name the layers that see all tokens in training.targets."
            )
        return TokenLayout(self.lanes, unit * self.each, tuple((lane, unit * count) for lane, count in self.tail))


def arranged(counts: Sequence[int], *, filled: bool) -> tuple[TokenLayout, list[int]]:
    """TokenLayout for adapters with so many items each, and the items' order: places among them, adapter after adapter.

    `filled`: adapters may be given further items that teach nothing (-1 in the order), where that is cheaper than more
    products; else every adapter has at least the fewest that one has.
    """
    each = min(set(counts), key=lambda size: (_cost(counts, size), size)) if filled else min(counts)
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    heads = [
        [*range(start, start + min(count, each)), *[-1] * (each - count)]
        for start, count in zip(starts, counts, strict=False)
    ]
    tails = [range(start + each, start + count) for start, count in zip(starts, counts, strict=False) if count > each]
    tail = tuple((lane, count - each) for lane, count in enumerate(counts) if count > each)
    return TokenLayout(len(counts), each, tail), [*chain.from_iterable(heads), *chain.from_iterable(tails)]


def _cost(counts: Sequence[int], each: int) -> int:
    return sum(max(count, each) + _PRODUCT * (count > each) for count in counts)
