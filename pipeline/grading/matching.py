"""Finds where an accepted answer stands in a reply, as whole words with equal values. Decides nothing about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.grading.dates import month_of
from pipeline.grading.languages import Language, Sense, marks
from pipeline.grading.normalisation import words_of
from pipeline.grading.reading import Reading, read, singular
from pipeline.grading.tokens import Word
from pipeline.grading.units import unit_of
from pipeline.grading.values import Date, Number, Ordinal, Quantity, same_value

_LEFT_OUT = frozenset({"a", "an", "the", "&"})
_LEADING = words_of("in within at on by from to of for about since because around approximately")
_TITLES = words_of("sir dame dr doctor mr mrs ms prof professor")
_SPELLED = {"st": "saint", "mt": "mount", "ft": "fort"}  # in names
_NUMERALS = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX"
_ROMAN = {numeral: place for place, numeral in enumerate(_NUMERALS.split(" "), 1)}
_NAMED_NUMBERS = words_of("version release section chapter build code id")
_AGES = words_of("old age alter âge edad")


@dataclass(frozen=True)
class Match:
    """Where an accepted answer stands: the places of its first word and behind its last, and its own words."""

    start: int
    end: int
    wanted: tuple[Word, ...]


def matches(reading: Reading, accepted: str, question: Reading) -> Iterator[Match]:
    """Every place of the accepted answer in the reply, from left to right for each of its forms.

    Articles and "and" are skipped on both sides, so that "blue, white, red" is "blue, white and red". Also matched are
    the answer without a leading preposition or title, without or only by what stands in brackets, and a number without
    the noun that the question asks for.
    """
    said = _content(reading.words, reading.language)
    for wanted in _forms(accepted, reading.language, question):
        for at in range(len(said) - len(wanted) + 1):
            places = said[at : at + len(wanted)]
            if _stands(reading, places, wanted, question):
                yield Match(places[0], places[-1] + 1, wanted)


def _content(words: Sequence[Word], language: Language) -> list[int]:
    """The places of the words that are compared."""
    joining = {
        at for mark in marks(words, language) if mark.sense is Sense.CONJUNCTION for at in range(mark.start, mark.end)
    }
    left = [at for at, word in enumerate(words) if word.text not in _LEFT_OUT and at not in joining]
    return left or list(range(len(words)))


def _forms(accepted: str, language: Language, question: Reading) -> Iterator[tuple[Word, ...]]:
    forms: dict[tuple[str, ...], tuple[Word, ...]] = {}
    head, bracket, rest = accepted.partition("(")
    spelled = (
        [accepted, head, rest.partition(")")[0]]
        if bracket and head.strip() and not rest.partition(")")[2]
        else [accepted]
    )
    for text in spelled:
        words = read(text, language).words
        kept = tuple(words[at] for at in _content(words, language))
        for form in (kept, *_shorter(kept, question)):
            if form:
                forms.setdefault(tuple(f"{word.text}{word.value}" for word in form), form)
    yield from forms.values()


def _shorter(words: tuple[Word, ...], question: Reading) -> Iterator[tuple[Word, ...]]:
    if len(words) > 1 and (words[0].text in _LEADING or words[0].text in _TITLES):
        yield words[1:]
    asked = {singular(word.plain) for word in question.words}
    if (
        len(words) > 1
        and isinstance(words[0].value, Number)
        and all(singular(word.plain) in asked for word in words[1:])
    ):
        yield (replace(words[0], suffix=" ".join(word.plain for word in words[1:])),)


def _stands(reading: Reading, places: Sequence[int], wanted: Sequence[Word], question: Reading) -> bool:
    pairs = [(one, reading.words[place]) for one, place in zip(wanted, places, strict=True)]
    alone = len(wanted) == 1
    if not all(_same(one, word, reading.language, question, alone=alone) for one, word in pairs):
        return False
    apart = {reading.sentence_of[place] for place in places}
    return len(apart) == 1 or len(wanted) > 8  # only a long answer has sentences


def _same(wanted: Word, said: Word, language: Language, question: Reading, *, alone: bool) -> bool:
    if wanted.value is not None and said.value is not None:
        return _equal(wanted, said, question)
    if said.value is not None and not alone and wanted.shown in _ROMAN:
        return _place(said) == _ROMAN[wanted.shown]
    if said.value is not None:
        month = month_of(wanted.text, language) if alone else None
        return isinstance(said.value, Date) and month is not None and month == said.value.month
    if wanted.value is not None:
        place = _place(wanted)
        return not alone and place is not None and _ROMAN.get(said.shown) == place
    return _same_word(wanted, said)


def _place(word: Word) -> int | None:
    if isinstance(word.value, Ordinal):
        return word.value.place
    return int(word.value.amount) if isinstance(word.value, Number) and word.value.amount.denominator == 1 else None


def _same_word(wanted: Word, said: Word) -> bool:
    """Equal but for case; for accents, where one of the two has none; for an English plural, where it is no name."""
    if wanted.text == said.text:
        return True
    if wanted.plain == said.plain:
        return wanted.text == wanted.plain or said.text == said.plain
    if wanted.capital and said.capital and _spelled(wanted) == _spelled(said):
        return True
    common = wanted.kind == "word" and wanted.shown.islower() and wanted.shown.isascii()
    return common and singular(wanted.plain) == singular(said.plain)


def _spelled(word: Word) -> str:
    return _SPELLED.get(word.text, word.text)


def _equal(wanted: Word, said: Word, question: Reading) -> bool:
    one, other = wanted.value, said.value
    asked = {word.plain for word in question.words}
    if isinstance(one, Number) and isinstance(other, Number) and asked & _NAMED_NUMBERS:
        return wanted.text == said.text
    if isinstance(one, Number) and isinstance(other, Quantity):
        return _in_asked_unit(one, other, question) or same_value(one, other)
    if isinstance(one, Quantity) and isinstance(other, Number):
        return _in_asked_unit(other, one, question) or same_value(one, other)
    return one is not None and other is not None and same_value(one, other)


def _in_asked_unit(number: Number, quantity: Quantity, question: Reading) -> bool:
    """Whether the number is the quantity in the unit that the question names; without one there is no telling."""
    for word in question.words:
        unit = unit_of(word.shown, word.text) if len(word.shown) > 1 or word.kind == "sign" else None
        if unit and unit.dimension == quantity.unit.dimension:
            return same_value(Quantity(number.amount, unit), quantity)
    asked = {word.plain for word in question.words}
    aged = quantity.unit.name == "year" and bool(asked & _AGES)
    shared = quantity.unit.dimension == "share" and "percentage" in asked
    named = _units_asked(question, quantity)
    return (aged or shared or named) and number.amount == quantity.amount


def _units_asked(question: Reading, quantity: Quantity) -> bool:
    """Whether the question names the unit in several words: "in degrees Celsius", "in m/s"."""
    asked = [word.text for word in question.words]
    pairs = (" ".join(asked[at : at + size]) for size in (2, 3) for at in range(len(asked) - size + 1))
    return any(unit_of(text, text) == quantity.unit for text in pairs)
