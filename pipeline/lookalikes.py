"""Finds names that are spelled almost like others: a model that writes from memory garbles long names (ADR 14)."""

from collections.abc import Collection, Iterable, Iterator
from itertools import product

from rapidfuzz import fuzz, process

from pipeline.heuristics import SANDBOX_FITTED

_BLOCK = 4_096  # words that are compared at once


def lookalikes(texts: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """The names, and every spelling of them with words that occur in the texts and look like theirs.

    All strings are normalised (`pipeline.grading.normalise`). Only words of more than `longest_plain_word` letters have
    lookalikes, and only with the same digits: "many" is not "germany", and release 43 is not release 42.
    """
    longest = SANDBOX_FITTED.longest_plain_word
    long_words = sorted({word for name in names for word in name.split() if len(word) > longest})
    alike = _alike(sorted({word for text in texts for word in text.split()}), long_words)
    return frozenset(
        " ".join(spelled) for name in names for spelled in product(*(alike.get(word, {word}) for word in name.split()))
    )


def _alike(words: list[str], names: list[str]) -> dict[str, set[str]]:
    """For each name itself and the words that look like it."""
    found = {name: {name} for name in names}
    for word, place in _pairs(words, names):
        if _digits(word) == _digits(names[place]):
            found[names[place]].add(word)
    return found


def _pairs(words: list[str], names: list[str]) -> Iterator[tuple[str, int]]:
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        scores = process.cdist(block, names, scorer=fuzz.ratio, score_cutoff=SANDBOX_FITTED.name_similarity)
        for row, column in zip(*scores.nonzero(), strict=True):
            yield block[row], int(column)


def _digits(word: str) -> str:
    return "".join(filter(str.isdigit, word))
