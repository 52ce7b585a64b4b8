"""A reply beside its question: which of the reply's phrases count, and where. Judges nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pipeline.grading.languages import Mark, Sense
from pipeline.grading.matching import Match
from pipeline.grading.normalisation import words_of
from pipeline.grading.reading import Reading, Sentence

_ALWAYS = frozenset({Sense.DOUBT, Sense.ALTERNATIVE, Sense.CONJUNCTION, Sense.BREAK, Sense.RETRACTION})
_RELATIVE = words_of("which who whom whose when where he she they we then now")


@dataclass(frozen=True, eq=False)
class Context:
    """A reply and its question, both read. What the question denies or doubts itself ("Who never ...?") is neutral."""

    reading: Reading
    question: Reading

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The reply's phrases that count."""
        asked = {mark.text for mark in self.question.marks}
        return tuple(mark for mark in self.reading.marks if not self._is_neutral(mark, asked))

    @cached_property
    def turns(self) -> tuple[int, ...]:
        """The places, in order, where a statement turns: at "but" or "actually", behind a semicolon or a colon."""
        words = {mark.start for mark in self.marks if mark.sense is Sense.BREAK and mark.text not in _RELATIVE}
        signs = {at for at, word in enumerate(self.reading.words) if set(word.gap) & set(";:")}
        return tuple(sorted(words | signs))

    def _is_neutral(self, mark: Mark, asked: set[str]) -> bool:
        words = self.reading.words
        if mark.sense is Sense.NEUTRAL or (mark.sense not in _ALWAYS and mark.text in asked):
            return True
        after = self.reading.gap(mark.end).strip()
        if mark.text == "no" and after[:1] in tuple(",.!:;") and after:
            return True  # "No, it is ..."
        follows = words[mark.end] if mark.end < len(words) else None
        if mark.text == "may":
            return words[mark.start].shown != "may" or follows is None or not follows.shown[:1].islower()
        return mark.text == "without" and any(
            one.sense is Sense.NEGATION and one.end <= mark.start and self.together(one.start, mark.start)
            for one in self.reading.marks
        )

    def together(self, one: int, other: int) -> bool:
        """Whether two words stand in one clause."""
        return self.reading.clause_of[one] == self.reading.clause_of[other]

    def sentence(self, match: Match) -> Sentence:
        """The sentence of the match; of a long one, that of its beginning."""
        return self.reading.sentences[self.reading.sentence_of[match.start]]

    def beside(self, match: Match, *senses: Sense) -> Iterator[Mark]:
        """The marks of those senses in the sentence of the match, outside of it."""
        sentence = self.sentence(match)
        for mark in self.marks:
            outside = mark.end <= match.start or mark.start >= match.end
            if mark.sense in senses and outside and sentence.start <= mark.start < sentence.end:
                yield mark
