"""A text as grading reads it: words with values, in sentences and clauses, with the phrases that deny or doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import regex

from pipeline.grading.languages import ENGLISH, LANGUAGES, Language, Mark, Sense, language_of, marks
from pipeline.grading.normalisation import words_of
from pipeline.grading.numbers import in_figures
from pipeline.grading.quantities import valued
from pipeline.grading.tokens import Word, tokens

_STOP = regex.compile(r"[!?。！？｡…؟।॥]|\.(?=[\s\"')\]*])")  # the point in "example.org" ends no sentence
_CLAUSE = regex.compile(r"[,;:()\[\]{}—、،؛\n]|\s[-–]\s")
_SHORTENED = words_of("mr mrs ms dr prof st mt ft gen sen rev capt col lt no fig vs etc jr sr inc ltd co approx")


@dataclass(frozen=True)
class Sentence:
    """The places of its first word and behind its last one, and whether it asks."""

    start: int
    end: int
    asks: bool


@dataclass(frozen=True, eq=False)
class Reading:
    """A text, read. `tail`: what follows the last word."""

    words: tuple[Word, ...]
    tail: str
    language: Language

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        starts = [at for at in range(len(self.words)) if at == 0 or _ends_sentence(self.words[at - 1], self.gap(at))]
        ends = [*starts[1:], len(self.words)]
        return tuple(
            Sentence(start, end, asks=any(sign in self.gap(end) for sign in "?？؟"))
            for start, end in zip(starts, ends, strict=False)
        )

    @cached_property
    def sentence_of(self) -> tuple[int, ...]:
        """The number of the sentence of each word."""
        return tuple(number for number, one in enumerate(self.sentences) for _ in range(one.start, one.end))

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The phrases of the language that grading knows; none spans two sentences."""
        found = (marks(self.words[one.start : one.end], self.language) for one in self.sentences)
        return tuple(
            Mark(mark.sense, mark.start + one.start, mark.end + one.start, mark.text)
            for one, own in zip(self.sentences, found, strict=True)
            for mark in own
        )

    @cached_property
    def clause_of(self) -> tuple[int, ...]:
        """The number of the clause of each word; clauses end at signs, and where a word begins a new one."""
        begun = {mark.start for mark in self.marks if mark.sense is Sense.BREAK} | {one.start for one in self.sentences}
        numbers, number = list[int](), 0
        for at in range(len(self.words)):
            number += at in begun or bool(at and _CLAUSE.search(self.gap(at)))
            numbers.append(number)
        return tuple(numbers)

    def gap(self, at: int) -> str:
        """What stands before that word, or after the last one."""
        return self.words[at].gap if at < len(self.words) else self.tail

    def clause(self, at: int) -> tuple[int, int]:
        """The places of the first word of a word's clause and behind its last."""
        return self._clauses[self.clause_of[at]]

    @cached_property
    def _clauses(self) -> Mapping[int, tuple[int, int]]:
        """The places of each clause, by its number."""
        places: dict[int, tuple[int, int]] = {}
        for at, number in enumerate(self.clause_of):
            places[number] = (places.get(number, (at, at))[0], at + 1)
        return places


def _ends_sentence(word: Word, gap: str) -> bool:
    if "\n\n" in gap:
        return True
    found = _STOP.search(gap)
    if not found:
        return False
    short = found[0] == "." and (word.text in _SHORTENED or (len(word.shown) == 1 and word.shown.isupper()))
    return not short


def language_in(text: str, question: "Reading | None" = None) -> Language:
    """The language of a text; of a reply, its question's language unless other words clearly prevail."""
    found = tokens(text)[0]
    if question is None or all(word.text not in question.language.common for word in question.words):
        return language_of(found, question.language if question else ENGLISH)
    return language_of(found, question.language, lead=2)


def read_question(question: str, longest: int) -> "Reading":
    """Reads the last line of a question, below a document or alone; of at most `longest` characters."""
    asked = question[-longest:].strip().rpartition("\n")[2]
    return read(asked, language_in(asked))


def read(text: str, language: Language) -> Reading:
    """Reads a text as one of that language. In time linear in the text."""
    return _kept(text, language.code)


@lru_cache(maxsize=512)
def _kept(text: str, code: str) -> Reading:
    language = LANGUAGES[code]
    found, tail = tokens(in_figures(text, language.number_words))
    return Reading(tuple(valued(found, language)), tail, language)


def texts(words: Sequence[Word]) -> frozenset[str]:
    """The words as they are compared, with their singulars."""
    return frozenset(form for word in words for form in (word.plain, singular(word.plain)))


def singular(text: str) -> str:
    """An English noun without the ending of its plural, by rule: "animals", "companies", "boxes"."""
    if len(text) > 4 and text.endswith("ies"):
        return text[:-3] + "y"
    if len(text) > 4 and text.endswith(("ches", "shes", "xes", "sses")):
        return text[:-2]
    return text[:-1] if len(text) > 3 and text.endswith("s") and not text.endswith("ss") else text
