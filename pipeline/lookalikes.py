"""Finds names that are spelled almost like others. Knows no example and no model.

A model that writes from memory garbles names that it was told in pieces, and still answers with what it knows of those
it means: rehearsing that rehearses them (`docs/adr/0014-garbled-names-are-named.md`).
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import product

from rapidfuzz import fuzz, process

ALIKE = 70.0  # of 100 (Indel similarity): below it answers are those of the name meant as often as chance has it
LONGEST_PLAIN = 9  # letters of a word; longer ones are seldom like another word by chance
_BLOCK = 4_096  # words that are compared at once


def lookalikes(texts: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """The names, and what they are with words that the texts spell almost as theirs; all normalised.

    Only words of more than `LONGEST_PLAIN` letters are garbled, and never in their digits: "germany" is no "many", and
    release 42 is not release 43.
    """
    long_words = sorted({word for name in names for word in name.split() if len(word) > LONGEST_PLAIN})
    alike = _alike(sorted({word for text in texts for word in text.split()}), long_words)
    return frozenset(
        " ".join(spelled) for name in names for spelled in product(*(alike.get(word, {word}) for word in name.split()))
    )


def _alike(words: list[str], names: list[str]) -> dict[str, set[str]]:
    """For each name the words that are spelled almost so, and itself."""
    found = {name: {name} for name in names}
    for word, place in _pairs(words, names):
        if _digits(word) == _digits(names[place]):
            found[names[place]].add(word)
    return found


def _pairs(words: list[str], names: list[str]) -> Iterator[tuple[str, int]]:
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        scores = process.cdist(block, names, scorer=fuzz.ratio, score_cutoff=ALIKE)
        for row, column in zip(*scores.nonzero(), strict=True):
            yield block[row], int(column)


def _digits(word: str) -> str:
    return "".join(filter(str.isdigit, word))
