"""Which adapter each token of a batch belongs to, in an order that makes LoRA products few and large. No tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.errors import BadInput

_PRODUCT = 32  # a further product of one adapter costs about as much as this many tokens


@dataclass(frozen=True)
class TokenLayout:
    """Which adapter each item of a batch belongs to. Items are tokens, or rows of equally many tokens.

    First come `each` items of every one of `adapters`, adapter after adapter: one batched product. The `tail` holds
    what some adapters have beyond that, (adapter, items) each: one more product an entry.
    """

    adapters: int
    each: int
    tail: tuple[tuple[int, int], ...] = ()

    @property
    def items(self) -> int:
        """Items of the whole batch."""
        return self.adapters * self.each + sum(count for _, count in self.tail)

    def of(self, tokens: int) -> "TokenLayout":
        """The same layout in tokens, of which there are `tokens`.

        Raises BadInput where a layer sees only part of the batch's tokens, as an expert of a mixture does.
        """
        unit, left = divmod(tokens, self.items)
        if left:
            raise BadInput(
                "a layer of this model sees only some of a batch's tokens, as experts do, and cannot carry adapters. "
                "Name the layers that see all tokens in training.targets."
            )
        return TokenLayout(self.adapters, unit * self.each, tuple((one, unit * count) for one, count in self.tail))


def arranged(counts: Sequence[int], *, filled: bool) -> tuple[TokenLayout, list[int]]:
    """A layout for adapters with so many items each, and the order of the items, which come adapter after adapter.

    The order lists places among the given items. `filled`: adapters may get padding items (-1 in the order) where that
    is cheaper than more products; otherwise `each` is the smallest count.
    """
    each = min(set(counts), key=lambda size: (_cost(counts, size), size)) if filled else min(counts)
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    spans = list(zip(starts, counts, strict=False))
    heads = [[*range(start, start + min(count, each)), *[-1] * (each - count)] for start, count in spans]
    tails = [range(start + each, start + count) for start, count in spans if count > each]
    tail = tuple((adapter, count - each) for adapter, count in enumerate(counts) if count > each)
    return TokenLayout(len(counts), each, tail), [*chain.from_iterable(heads), *chain.from_iterable(tails)]


def _cost(counts: Sequence[int], each: int) -> int:
    return sum(max(count, each) + _PRODUCT * (count > each) for count in counts)
