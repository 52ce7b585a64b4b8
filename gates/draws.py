"""Which eval items count where there are more than a run can ask, or more of one document than may decide. Pure.

The newest release is asked whole. All others share the rest alike, so that none is forgotten unseen. An item keeps its
place in the draw for ever: another release takes a few items from each, and what stays was asked before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gates.evidence import Pair, ReleaseEvalSet, held_out_items
from pipeline.digests import seed_from
from pipeline.types import Document, EvalItem


def draw(earlier: Sequence[ReleaseEvalSet], most: int) -> tuple[ReleaseEvalSet, ...]:
    """All of the eval sets where they have at most `most` items in all; else some items of each but the newest.

    A newest release of more than half of `most` leaves half of it to the others.
    """
    if sum(len(one.eval_items) for one in earlier) <= most:
        return tuple(earlier)
    *older, newest = sorted(earlier, key=lambda release_set: release_set.release)
    share = equal_share([len(one.eval_items) for one in older], max(most - len(newest.eval_items), most // 2))
    return (*(_first(one, share) for one in older), newest)


def counted_items(documents: Iterable[Document], most: int) -> tuple[EvalItem, ...]:
    """The documents' test items that count where they are pooled: of each document at most `most`.

    Of a longer exam those of the lowest digests, so that no document decides for all.
    """
    return tuple(item for document in documents for item in _lowest(held_out_items([document]), most))


def counting(pairs: Iterable[Pair], documents: Iterable[Document], most: int) -> list[Pair]:
    """Those of the pairs whose eval items count: see `counted_items`."""
    items = {item.id for item in counted_items(documents, most)}
    return [pair for pair in pairs if pair.item in items]


def equal_share(sizes: Sequence[int], room: int) -> int:
    """The greatest number of items that each can have of `room`; a smaller one leaves its rest to the others."""
    return max(share for share in range(room + 1) if sum(min(size, share) for size in sizes) <= room)


def _first(release_set: ReleaseEvalSet, count: int) -> ReleaseEvalSet:
    """`count` of its items in their order: those of the lowest digests."""
    return replace(release_set, eval_items=_lowest(release_set.eval_items, count))


def _lowest(eval_items: Sequence[EvalItem], count: int) -> tuple[EvalItem, ...]:
    ranked = sorted(eval_items, key=lambda eval_item: seed_from("earlier eval item", eval_item.id))
    chosen = {eval_item.id for eval_item in ranked[:count]}
    return tuple(one for one in eval_items if one.id in chosen)
