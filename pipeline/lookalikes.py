"""Finds names that are spelled almost like others. Knows no example and no model.

A model that writes from memory garbles names and still answers with what it knows of those it means: rehearsing that
rehearses them.
"""

from collections.abc import Collection, Iterable

from rapidfuzz import fuzz, process

# Of 100 (Indel similarity). The embedded model's prompts answer as the nearest name would in half of the cases above
# it, and as chance has it below (`docs/learning.md`).
ALIKE = 70
_SHORTEST = 6  # letters of a name; shorter ones are like too many words


def lookalikes(texts: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """The phrases of the texts that are one of the names, or are spelled almost so; all normalised.

    A phrase has as many words as the name that it is like.
    """
    by_words: dict[int, list[str]] = {}
    for name in sorted(names):
        if len(name) >= _SHORTEST:
            by_words.setdefault(len(name.split()), []).append(name)
    split = [text.split() for text in texts]
    found: set[str] = set()
    for count, alike in by_words.items():
        phrases = sorted({" ".join(words[at : at + count]) for words in split for at in range(len(words) - count + 1)})
        if phrases:
            scores = process.cdist(phrases, alike, scorer=fuzz.ratio, score_cutoff=ALIKE, workers=1)
            found.update(phrase for phrase, score in zip(phrases, scores, strict=True) if score.any())
    return frozenset(found)
