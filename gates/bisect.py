"""Which documents make an update fail, and how far an adapter must be scaled down until it does not. Pure.

Delta debugging: Zeller, "Yesterday, my program worked. Today, it does not. Why?" (1999), whose `dd+` halves, and keeps
one half beside the other where only both fail; what is found is 1-minimal, as by `ddmin` (Zeller and Hildebrandt 2002).
Each function is a generator: it yields what is to be tried, is sent the verdicts, and returns what it found.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import TypeVar

from pipeline.types import GateReport, Verdict

_Found = TypeVar("_Found")

Subset = tuple[str, ...]
Batch = tuple[Subset, ...]
# Yields subsets that are trained side by side, and is sent for each whether it fails.
Asking = Generator[Batch, tuple[bool, ...], _Found]

# Where more than so many documents fail only together, harm adds up, and no document is to blame.
LARGEST_SET = 3
FACTORS = tuple(step / 8 for step in range(1, 8))
# Whether the files are whole, and how the serving engine takes the adapter, says nothing of a document. How much was
# learned is the share of all documents, which a few of them can neither reach nor miss: they have too few questions.
# What a document contradicts is known before anything is trained.
_OF_THE_WHOLE = frozenset({"integrity", "acquisition", "serving", "contradictions"})
# Gates that find less where the adapter is scaled down: for the others a smaller change is a smaller loss.
_OF_GAIN = frozenset({"acquisition", "corrections"})


def blamed_gates(report: GateReport) -> tuple[str, ...]:
    """The required gates that FAIL, as far as a part of the documents can be judged by them.

    A part fails where one of these FAILs. INCONCLUSIVE blames nobody: small parts have few questions.
    """
    failed = (one.gate for one in report.results if one.required and one.verdict is Verdict.FAIL)
    return tuple(gate for gate in failed if gate not in _OF_THE_WHOLE)


def failing_sentence(report: GateReport, gates: Iterable[str]) -> str:
    """What the first of these gates that FAILs says; empty where none does."""
    named = frozenset(gates)
    failed = (one.sentence for one in report.results if one.gate in named and one.verdict is Verdict.FAIL)
    return next(failed, "")


@dataclass(frozen=True, kw_only=True)
class CulpritSets:
    """Sets of documents each of which fails, while no smaller part of it does; they share no document.

    trainings: subsets that were tried. complete: False where that many were not enough.
    """

    sets: tuple[Subset, ...]
    trainings: int
    complete: bool


def find_culprits(documents: Sequence[str], budget: int) -> Asking[CulpritSets]:
    """Searches documents that are known to fail together; tries at most `budget` subsets, each once.

    A single document is a culprit only where it failed alone; up to LARGEST_SET are, where they failed only together.
    k culprits take about 2 k log2(n) trainings in log2(n) batches. Culprits that others hide are found once those are
    gone: ask again about the rest.
    """
    found: list[Subset] = []
    known: dict[frozenset[str], bool] = {frozenset(documents): True}
    search, complete = _minimal(tuple(documents), found), True
    batch = _next(search, None)
    while batch:
        fresh = {frozenset(one): one for one in batch if frozenset(one) not in known}
        if len(known) - 1 + len(fresh) > budget:
            complete = False
            break
        if fresh:
            asked = tuple(tuple(one for one in documents if one in subset) for subset in fresh)
            known |= dict(zip(fresh, (yield asked), strict=True))
        batch = _next(search, tuple(known[frozenset(one)] for one in batch))
    return CulpritSets(sets=tuple(found), trainings=len(known) - 1, complete=complete)


def _minimal(failing: Subset, found: list[Subset]) -> Asking[None]:
    """Adds to `found` smallest failing parts of a set that fails, of both halves where both do."""
    if len(failing) == 1:
        found.append(failing)
        return
    halves = left, right = _halves(failing)
    verdicts = yield halves
    failed = [half for half, fails in zip(halves, verdicts, strict=True) if fails]
    if failed:
        yield from _side_by_side([_minimal(half, found) for half in failed])
        return
    together = yield from _across(left, right, (), LARGEST_SET)
    if together:
        yield from _confirmed(together, found)


def _across(left: Subset, right: Subset, beside: Subset, most: int) -> Asking[Subset]:
    """A smallest part of two halves that fail, with all that stands `beside` them, only both: some of each.

    Empty where it takes more than `most` documents.
    """
    first = (yield from _needed(left, beside + right, most - 1)) if most > 1 else ()
    second = (yield from _needed(right, beside + first, most - len(first))) if first else ()
    return first + second if second else ()


def _needed(candidates: Subset, beside: Subset, most: int) -> Asking[Subset]:
    """A smallest part of the candidates that fails with all that stands `beside` it, which does not fail alone."""
    if len(candidates) == 1:
        return candidates
    halves = left, right = _halves(candidates)
    verdicts = yield (beside + left, beside + right)
    for half, fails in zip(halves, verdicts, strict=True):
        if fails:
            return (yield from _needed(half, beside, most))
    return (yield from _across(left, right, beside, most))


def _confirmed(together: Subset, found: list[Subset]) -> Asking[None]:
    """Adds to `found` what fails together, if it does so again by itself and no part of it does."""
    parts = tuple(tuple(other for other in together if other != one) for one in together)
    fails, *partly = yield (together, *parts)
    smaller = next((part for part, failed in zip(parts, partly, strict=True) if failed), None)
    if smaller is not None:
        yield from _minimal(smaller, found)
    elif fails:
        found.append(together)


def _side_by_side(searches: Sequence[Asking[None]]) -> Asking[None]:
    """Several searches at once: what they ask is asked as one batch."""
    waiting = [(search, batch) for search in searches if (batch := _next(search, None))]
    while waiting:
        verdicts = iter((yield tuple(subset for _, batch in waiting for subset in batch)))
        answered = [(search, tuple(islice(verdicts, len(batch)))) for search, batch in waiting]
        waiting = [(search, batch) for search, answer in answered if (batch := _next(search, answer))]


def _next(search: Asking[None], answer: tuple[bool, ...] | None) -> Batch:
    """What the search asks next; nothing where it has ended."""
    try:
        return search.send(answer) if answer is not None else next(search)
    except StopIteration:
        return ()


def _halves(documents: Subset) -> tuple[Subset, Subset]:
    middle = (len(documents) + 1) // 2
    return documents[:middle], documents[middle:]


class Change(IntEnum):
    """Where a scaled adapter is against its budget: inside, or to be scaled less or more."""

    TOO_LITTLE = -1
    INSIDE = 0
    TOO_MUCH = 1


def change_of(report: GateReport) -> Change:
    """INSIDE where all gates pass. TOO_LITTLE where only gates of a gain do not; else it still loses too much."""
    missed = {one.gate for one in report.results if one.required and one.verdict is not Verdict.PASS}
    if not missed:
        return Change.INSIDE
    return Change.TOO_LITTLE if missed <= _OF_GAIN else Change.TOO_MUCH


def find_factor(factors: Sequence[float] = FACTORS) -> Generator[float, Change, float | None]:
    """Searches the largest of the rising factors that is INSIDE, by bisection; None where none of those tried is."""
    low, high, inside = 0, len(factors), None
    while low < high:
        middle = (low + high) // 2
        change = yield factors[middle]
        if change is Change.TOO_MUCH:
            high = middle
            continue
        inside = factors[middle] if change is Change.INSIDE else inside
        low = middle + 1
    return inside
