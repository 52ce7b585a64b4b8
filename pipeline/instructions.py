"""Finds text that tells a language model what to do: orders to forget, how to answer, whose role to take.

Wordings of many languages, by rule: what is worded otherwise passes. Linear in the text. Knows no document.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pipeline import instruction_words as wordings
from pipeline.instruction_words import ADDRESS, ANSWER, FORGET, ROLE, Pattern, Words
from pipeline.normal_forms import UNSPACED, latin

_NEAR = 60  # characters between the words of an order
_BESIDE = 25  # characters between "earlier" and "instructions"
_FLAGS = re.IGNORECASE | re.MULTILINE
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|[。！？]|\n[ \t]*\n")
_WRAPPED = re.compile(r"(?<!\n)\n(?![ \t]*\n)")
_LONGEST = 400  # characters of a sentence on each side of what was found
# What joins two clauses: words on either side of it do not belong together. "And all earlier ones" joins none.
_JOINED = re.compile(
    r"[;:；：]|(?<!\w)(?:and|but|then|und|dann|et|puis|y|luego|e|poi|dan|и|và)(?!\w)(?! (?:all|any|every|the|these"
    r"|those|your|previous|prior|earlier|alle|vorherige\w*|tou\w+|les|tod[ao]s|las|tutt[ei]|le|as|все)(?!\w))",
    re.IGNORECASE,
)
_OPENING = r"(?:^|[,;:()\[\]«»“”„\"—–|>*#،、，：；「『]|(?<!\w)['‘’]| - )\W*"
_BEGINS = re.compile(rf"{_OPENING}(?:(?<!\w)(?:{wordings.LEADS})(?!\w)\W+)*$", re.IGNORECASE)
_BEGINS_UNSPACED = re.compile(rf"{_OPENING}(?:(?:{wordings.UNSPACED_LEADS})\W*)*$")
# "Stop and ignore", but not "those who stop and ignore".
_CONTINUED = re.compile(
    r"^(?!.*(?<!\w)(?:who|that|which|they|we|he|she|it|users?|people|employees|staff|if|when|to|will|would|may|might|can"
    r"|often|sometimes)(?!\w)).*(?<!\w)and\W+$",
    re.IGNORECASE | re.DOTALL,
)
_CLAUSE_END = re.compile(r"[,;:.!?]")


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where a sentence tells a model what to do, and by which rule it was found."""

    rule: str
    start: int
    end: int


def told(text: str) -> tuple[Told, ...]:
    """The sentences in `text` that tell a model what to do, in order; what overlaps counts once."""
    plain = _folded(text)
    found = [_sentence(plain, *one) for one in _found(plain)]
    kept: list[Told] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return tuple(kept)


def told_beyond(text: str, source: str) -> tuple[Told, ...]:
    """What `told` finds in a text that was written about `source`, by rules that find nothing in `source` itself.

    A text about such orders may quote them; one that was taken without any may not bring them.
    """
    found = told(text)
    known = {one.rule for one in told(source)} if found else set()
    return tuple(one for one in found if one.rule not in known)


def hinted(text: str) -> tuple[Told, ...]:
    """The sentences that may tell a model how to answer, but more often tell people."""
    plain = _folded(text)
    return tuple(_sentence(plain, *one) for one in _matches(plain, plain, ANSWER, wordings.HINTS))


def _found(text: str) -> Iterator[tuple[str, int, int]]:
    # Lines of a wrapped sentence are read as one; all places stay.
    flat = _WRAPPED.sub(" ", text)
    lowered = flat.lower()
    for order in _orders():
        if any(hint in lowered for hint in order.hints):
            yield from ((FORGET, start, end) for start, end in order.found(flat, text))
    yield from _matches(flat, text, FORGET, (wordings.ABOVE,))
    yield from _matches(flat, text, ANSWER, wordings.ANSWERS)
    yield from _matches(flat, text, ADDRESS, wordings.ADDRESSES)
    yield from _matches(text, text, ROLE, wordings.ROLES)


def _matches(flat: str, text: str, rule: str, patterns: tuple[Pattern, ...]) -> Iterator[tuple[str, int, int]]:
    lowered = flat.lower()
    for pattern in patterns:
        if not any(hint in lowered for hint in pattern.hints):
            continue
        for match in _compiled(pattern.wording).finditer(flat):
            if not pattern.begins or _begins(text, match.start(), _BEGINS):
                yield rule, match.start(), match.end()


class _Order(NamedTuple):
    """The words of a language as patterns. `first` are looked for, then `second` behind them, and `whose` by both."""

    first: re.Pattern[str]
    second: re.Pattern[str]
    whose: re.Pattern[str]
    unless: re.Pattern[str] | None
    denied: re.Pattern[str] | None
    begins: re.Pattern[str]
    hints: tuple[str, ...]
    last: bool

    def found(self, flat: str, text: str) -> Iterator[tuple[int, int]]:
        for match in self.first.finditer(flat):
            other = self.second.search(flat, match.end(), match.end() + _NEAR)
            if other is None or _SENTENCE_END.search(flat, match.end(), other.start()):
                continue
            if not self._earlier(flat, match, other) or self._denied(flat, match, other):
                continue
            if self.last or _begins(text, match.start(), self.begins):
                yield match.start(), other.end()

    def _earlier(self, flat: str, match: re.Match[str], other: re.Match[str]) -> bool:
        """Whether it says that the instructions are the earlier ones."""
        things = match if self.last else other
        least = max(_start(flat, match.start()), match.start() - _NEAR) if self.last else match.end()
        found = self.whose.finditer(flat, least, min(_end(flat, things.end()), things.end() + _NEAR // 2))
        return any(_beside(flat, whose, things) for whose in found) and not (
            not self.last and _JOINED.search(flat[match.end() : other.start()])
        )

    def _denied(self, flat: str, match: re.Match[str], other: re.Match[str]) -> bool:
        verb = other if self.last else match
        if self.unless and self.unless.search(flat[_start(flat, verb.start()) : verb.start()]):
            return True
        if self.denied is None:
            return False
        rest = _CLAUSE_END.split(_JOINED.split(flat[other.end() : _end(flat, other.end())])[0])[0]
        return bool(self.denied.search(flat[match.end() : other.end()]) or self.denied.search(rest))


def _beside(flat: str, whose: re.Match[str], things: re.Match[str]) -> bool:
    first, second = sorted((whose.span(), things.span()))
    between = flat[first[1] : second[0]]
    return len(between) <= _BESIDE and not _JOINED.search(between)


def _begins(text: str, at: int, pattern: re.Pattern[str]) -> bool:
    """Whether a clause begins at the place, or words stand before it that lead to an order."""
    before = text[_start(text, at) : at]
    line = before.rpartition("\n")[2]
    first = next((char for char in line + text[at] if not char.isspace()), "")
    # A line that begins in lower case goes on with the sentence of the line before.
    if not first.islower():
        before = line
    before = before.replace("\n", " ")
    return bool(pattern.search(before) or _CONTINUED.search(before))


@cache
def _orders() -> tuple[_Order, ...]:
    return tuple(map(_order, wordings.FORGETTING))


def _order(words: Words) -> _Order:
    verb, whose, things = map(_pattern, (words.verb, words.whose, words.things))
    first, second = (things, verb) if words.last else (verb, things)
    unspaced = _is_unspaced(words.verb)
    return _Order(
        first,
        second,
        whose,
        # "Not, at any time, ignore", but not "do not worry, ignore".
        re.compile(rf"{_word(words.unless)}(?:,[^,;:]*,)?[^,;:，；：]*$", _FLAGS) if words.unless else None,
        _pattern(words.denied) if words.denied else None,
        _BEGINS_UNSPACED if unspaced else _BEGINS,
        _hints(words.things),
        words.last,
    )


def _is_unspaced(words: str) -> bool:
    return bool(re.match(f"[(?:]*[{UNSPACED}가-힣]", words))


def _word(words: str) -> str:
    return f"(?:{words})" if _is_unspaced(words) else rf"(?<!\w)(?:{words})(?!\w)"


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(_word(words), _FLAGS)


def _hints(words: str) -> tuple[str, ...]:
    """How each of the words begins: what must stand in a text for one of them to be found."""
    return tuple(re.split(r"\w?\?|[\\\[(]", word)[0] for word in words.split("|"))


@cache
def _compiled(wording: str) -> re.Pattern[str]:
    return re.compile(wording, _FLAGS)


def _folded(text: str) -> str:
    """The text with full-width and other compatible spellings of single characters made plain, at the same places.

    So are letters of other scripts in words that are Latin otherwise.
    """
    spelled = {char: unicodedata.normalize("NFKC", char) for char in set(text) if not char.isascii()}
    plain = {ord(char): one for char, one in spelled.items() if len(one) == 1 and one != char}
    return latin(text.translate(plain))


def _sentence(text: str, rule: str, start: int, end: int) -> Told:
    """The sentence that holds what was found; of a role, its lines."""
    if rule != ROLE:
        return Told(rule=rule, start=_start(text, start), end=_end(text, end))
    line = text.find("\n", end)
    return Told(rule=rule, start=start, end=line if line >= 0 else len(text))


def _start(text: str, at: int) -> int:
    """Where the sentence begins that holds the place `at`."""
    least = max(0, at - _LONGEST)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, least, at)]
    return ends[-1] if ends else least


def _end(text: str, at: int) -> int:
    """Where it ends."""
    match = _SENTENCE_END.search(text, max(0, at - 1), at + _LONGEST)
    return max(at, match.start()) if match else min(len(text), at + _LONGEST)
