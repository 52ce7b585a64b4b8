"""Cues: the words by which a sentence is asked for. Pure.

A question says some of what a sentence says, and leaves out one thing, its answer. So does a cue. Words that any text
has cue nothing: asked by them, a model learns to say the sentence to whatever it is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from pipeline.normal_forms import UNSPACED

_SHORTEST = 3  # letters of a word that means something; a number may be shorter
_LETTER = rf"[^\W_{UNSPACED}]"
_FEWEST = 3
# "64,000", "4:25", "Lundqvist-Bray" and "Quillhaven's" are one word each.
_WORD = re.compile(rf"{_LETTER}+(?:[.,:'’-]{_LETTER}+)*")


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.text[0].isdigit()

    @property
    def is_name(self) -> bool:
        """Whether it is written as names are; the first word of a sentence always is."""
        return self.start > 0 and self.text[0].isupper()

    def joins(self, other: "_Word") -> bool:
        """Whether both are of one name, as first and last name are."""
        return self.is_name and other.is_name and other.start - self.end <= 1


def cue(sentence: str, size: int, common: frozenset[str], draw: Random) -> str:
    """At most `size` of the sentence's words that carry meaning, in its order, without one thing that it tells.

    That is a name or a number that is drawn, or where there is none any word. `common`: words, in lower case, that
    carry no meaning, but where a sentence has hardly any other. Empty where no word is long enough to mean something.
    In a script without spaces only numbers are words.
    """
    meant = _meant(sentence, common)
    if not meant:
        return ""
    told = [place for place, word in enumerate(meant) if word.is_name or word.is_number] or range(len(meant))
    answer = _whole_name(meant, draw.choice(told))
    places = [place for place in range(len(meant)) if place not in answer] or [*range(len(meant))]
    return ", ".join(meant[place].text for place in sorted(draw.sample(places, min(size, len(places)))))


def _meant(sentence: str, common: frozenset[str]) -> list[_Word]:
    """The words that mean something, each where it first stands."""
    long: dict[str, _Word] = {}
    for found in _WORD.finditer(sentence):
        word = _Word(found.group(), found.start(), found.end())
        if word.is_number or len(word.text) >= _SHORTEST:
            long.setdefault(word.text.lower(), word)
    rare = [word for lower, word in long.items() if lower not in common]
    return rare if len(rare) >= _FEWEST else [*long.values()]


def _whole_name(words: Sequence[_Word], place: int) -> range:
    """The places of the words that make up a name with the one at `place`; that one alone if it is none."""
    first, end = place, place + 1
    while first > 0 and words[first - 1].joins(words[first]):
        first -= 1
    while end < len(words) and words[end - 1].joins(words[end]):
        end += 1
    return range(first, end)
