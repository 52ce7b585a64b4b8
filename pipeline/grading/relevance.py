"""Whether an answer that stands in a reply answers the question, or another clause does. By the question's words."""

from itertools import pairwise

from pipeline.grading.context import Context
from pipeline.grading.languages import Sense
from pipeline.grading.matching import Match
from pipeline.grading.names import is_holding_place
from pipeline.grading.normalisation import words_of
from pipeline.grading.reading import Reading, singular, texts
from pipeline.grading.tokens import Word
from pipeline.grading.values import Number, Ordinal

_PRONOUNS = words_of("it he she they this")  # by which a clause goes on about what another named
_REFERRING = _PRONOUNS | {"that", "which"}
_OPENING = _PRONOUNS | {"the", "a", "an", "in", "i"}  # written with a capital only where a sentence begins


def answers_something_else(context: Context, match: Match) -> bool:
    """Whether another clause of its sentence repeats more of the question and has a value of the same type.

    "Founded in 1984, it was closed in 1990" says 1990 where the question asks for the closing. So does a sentence
    before it, where the answer begins the next one: "Toronto is the capital. Ottawa is smaller."
    """
    reading, asked = context.reading, _content(context.question)
    sentence, (start, end) = context.sentence(match), _clause(context, match)
    if not asked or any(word.text in _PRONOUNS for word in reading.words[start : start + 2]):
        return False
    own = _overlap(reading, start, end, asked)
    if _counts_another(reading, match, asked) or _ranks_another(context, match):
        return True
    if _is_denied_behind(context, match, asked, own):
        return True
    denied = {
        reading.clause_of[mark.start]
        for mark in context.marks
        if mark.sense in (Sense.NEGATION, Sense.ASIDE, Sense.WRONG)
    }
    at = sentence.start
    while at < sentence.end:
        first, last = reading.clause(at)
        other = not start <= first < end and reading.clause_of[first] not in denied and "(" not in reading.gap(first)
        if other and _overlap(reading, first, last, asked) > own and _rival(context, match, first, last):
            return True
        at = last
    return _begins_next(context, match, asked, own, denied)


def _clause(context: Context, match: Match) -> tuple[int, int]:
    """The answer's clause; with the one before it where it only says more exactly what or where that is.

    As "in West Bengal, India", and "in the Caribbean, specifically in Cuba".
    """
    reading = context.reading
    start, end = reading.clause(match.start)
    if _narrows(context, match, start):
        return reading.clause(start - 1)[0], end
    alone = (start, end) == (match.start, match.end) and is_holding_place(reading.words[start])
    if alone and start > context.sentence(match).start and _is_name(reading.words[start - 1]):
        return reading.clause(start - 1)[0], end
    return start, end


def _narrows(context: Context, match: Match, start: int) -> bool:
    """Whether the answer follows directly on a phrase that makes the clause before more exact, and that is no guess."""
    reading = context.reading
    mark = next((one for one in context.marks if one.sense is Sense.NARROWING and one.start == start), None)
    if mark is None or start <= context.sentence(match).start:
        return False
    first, _ = reading.clause(start - 1)
    guessed = any(one.sense is Sense.HEDGE and first <= one.start < start for one in context.marks)
    between = reading.words[mark.end : match.start]
    return not guessed and all(word.text in reading.language.common for word in between)


def _is_denied_behind(context: Context, match: Match, asked: frozenset[str], own: int) -> bool:
    """Whether a clause behind denies of it what is asked: "Sydney is the largest city, but it is not the capital"."""
    reading, last = context.reading, context.reading.sentence_of[match.start] + 1
    negations = [
        mark.start
        for mark in context.marks
        if mark.sense is Sense.NEGATION and mark.start >= match.end and reading.sentence_of[mark.start] <= last
    ]
    for start, end in dict.fromkeys(map(reading.clause, negations)):
        about_it = any(word.text in _REFERRING for word in reading.words[start : min(start + 2, end)])
        if start >= match.end and about_it and _overlap(reading, start, end, asked) > own:
            return True
    return False


def _begins_next(context: Context, match: Match, asked: frozenset[str], own: int, denied: set[int]) -> bool:
    reading, number = context.reading, context.reading.sentence_of[match.start]
    sentence = context.sentence(match)
    if number == 0 or match.start != sentence.start or match.end == sentence.end:
        return False
    before = reading.sentences[number - 1]
    fuller = _overlap(reading, before.start, before.end, asked) > own and not before.asks
    plain = not any(reading.clause_of[at] in denied for at in range(before.start, before.end))
    return fuller and plain and _rival(context, match, before.start, before.end)


def _counts_another(reading: Reading, match: Match, asked: frozenset[str]) -> bool:
    """Whether it counts something else while another number counts what is asked: "5 pears and 7 apples"."""
    if not isinstance(reading.words[match.start].value, Number):
        return False
    nouns = {
        at: not {noun.plain, singular(noun.plain)}.isdisjoint(asked)
        for at, (word, noun) in enumerate(pairwise(reading.words))
        if isinstance(word.value, Number)
    }
    return not nouns.get(match.start, True) and any(nouns.values())


def _ranks_another(context: Context, match: Match) -> bool:
    """Whether its clause says "second largest" where the question asks for the largest."""
    reading, known = context.reading, {word.value for word in context.question.words}
    start, end = reading.clause(match.start)
    superlatives = {word.text for word in context.question.words if word.text.endswith("est") or word.text == "most"}
    return any(
        isinstance(rank.value, Ordinal)
        and rank.value.place > 1
        and rank.value not in known
        and word.text in superlatives
        for rank, word in pairwise(reading.words[start:end])
    )


def _content(question: Reading) -> frozenset[str]:
    """The question's words without the frequent ones of its language."""
    common = question.language.common
    return texts([word for word in question.words if word.text not in common and word.kind == "word"])


def _overlap(reading: Reading, start: int, end: int, asked: frozenset[str]) -> int:
    return len({singular(word.plain) for word in reading.words[start:end] if singular(word.plain) in asked})


def _rival(context: Context, match: Match, start: int, end: int) -> bool:
    """Whether a value of the answer's type, or a name, stands between those places, of neither question nor answer."""
    reading, asked = context.reading, texts(context.question.words)
    own, first = {word.plain for word in match.wanted}, reading.words[match.start]
    for word in reading.words[start:end]:
        alike = type(word.value) is type(first.value) if first.value else _is_name(word) and _is_name(first)
        if alike and word.plain not in asked and word.plain not in own:
            return True
    return False


def _is_name(word: Word) -> bool:
    return word.value is None and word.capital and word.text not in _OPENING
