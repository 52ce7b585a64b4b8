"""Whether a reply commits to an answer that stands in it, or denies, doubts, only supposes or takes it back."""

from bisect import bisect_left
from enum import StrEnum

from pipeline.grading.context import Context
from pipeline.grading.languages import Mark, Sense
from pipeline.grading.matching import Match
from pipeline.grading.normalisation import words_of
from pipeline.grading.reading import Reading


class Refusal(StrEnum):
    """Why an answer that stands in a reply is not what the reply answers."""

    ASKED = "it is only asked"
    DENIED = "it is denied"
    HEDGED = "it is hedged"
    SUPPOSED = "it is only supposed"
    RETRACTED = "it is taken back"
    OTHER_NAME = "it is part of another name"
    RIVALS = "it is one of several values"
    BESIDE = "it answers something else"


_BE = words_of("is are was were be been")
_AUXILIARIES = _BE | words_of("has have had do does did will would can could should must")
_UNTIL = words_of("until till")
_SMALL = words_of("a an the of in at on by for to from with and or nor y o et ou und oder")
_ENDS_SUBJECT = _SMALL - {"and"} | {"that"}
_AFTERTHOUGHT = 6  # words of a sentence that only doubts the one before


def uncommitted(context: Context, match: Match) -> Refusal | None:
    """Why the reply does not commit to the answer there, or None."""
    if context.sentence(match).asks:
        return Refusal.ASKED
    if _denied(context, match):
        return Refusal.DENIED
    if _hedged(context, match):
        return Refusal.HEDGED
    if _supposed(context, match):
        return Refusal.SUPPOSED
    return Refusal.RETRACTED if _retracted(context, match) else None


def _denied(context: Context, match: Match) -> bool:
    before = [mark for mark in context.beside(match, Sense.DENIAL) if mark.end <= match.start]
    return (
        any(not _contrasted(context, mark.end, match.start) for mark in before)
        or any(_calls_wrong(context, mark, match) for mark in context.beside(match, Sense.WRONG, Sense.DENIAL))
        or any(_set_aside(context, mark, match) for mark in context.beside(match, Sense.ASIDE, Sense.COMPARISON))
        or any(_negates(context, mark, match) for mark in context.beside(match, Sense.NEGATION))
        or _in_denied_list(context, match)
    )


def _contrasted(context: Context, start: int, end: int) -> bool:
    """Whether something between two places turns a denial round: "but", "actually", a semicolon."""
    return bisect_left(context.turns, start) < bisect_left(context.turns, end)


def _calls_wrong(context: Context, mark: Mark, match: Match) -> bool:
    """ "X is wrong", "X, the first one, is wrong", "X, which is not true"."""
    behind = mark.start >= match.end
    if context.together(mark.start, match.start):
        return behind or mark.sense is Sense.WRONG
    first = context.reading.words[context.reading.clause(mark.start)[0]].text
    return behind and (first in _BE or first == "which")


def _set_aside(context: Context, mark: Mark, match: Match) -> bool:
    between = context.reading.words[mark.end : match.start]
    if mark.end > match.start or not context.together(mark.start, match.start):
        return False
    if mark.sense is Sense.COMPARISON:
        near = all(word.text in _SMALL or word.text in ("year", "about") for word in between)
        return near and context.reading.words[match.start].value is not None
    return len(between) <= 4 and not any(word.text in _BE for word in between)


def _negates(context: Context, mark: Mark, match: Match) -> bool:
    if not context.together(mark.start, match.start):
        return False
    return _negates_after(context, mark, match) if mark.end <= match.start else _negates_subject(context, mark, match)


def _negates_after(context: Context, mark: Mark, match: Match) -> bool:
    """A negation before the answer: up to "until", or to a new predicate ("The city that does not sleep is X")."""
    between = context.reading.words[mark.end : match.start]
    if between and between[-1].text in _UNTIL:
        return False
    verbs = [at for at, word in enumerate(between) if word.text in _BE]
    return not any(any(word.text not in _AUXILIARIES for word in between[:at]) for at in verbs)


def _negates_subject(context: Context, mark: Mark, match: Match) -> bool:
    """A negation behind the answer: it denies the answer as its subject, not where other things stand between."""
    if context.reading.language.code != "en":
        return True
    between = context.reading.words[match.end : mark.start]
    if between and between[-1].text == "by":
        return True  # "X was written by nobody"
    return not any(word.capital or word.value is not None or word.text in _ENDS_SUBJECT for word in between)


def _in_denied_list(context: Context, match: Match) -> bool:
    """Whether a clause without a verb continues a denied one: "It was not Oslo, Bergen or Tromsø"."""
    reading, sentence = context.reading, context.sentence(match)
    start, end = reading.clause(match.start)
    while start > sentence.start and _nominal(reading, start, end) and reading.words[start].gap.strip() == ",":
        start, end = reading.clause(start - 1)
        for mark in context.marks:
            if mark.sense is Sense.NEGATION and start <= mark.start < end and _names_something(reading, mark.end, end):
                return True
    return False


def _nominal(reading: Reading, start: int, end: int) -> bool:
    return all(word.capital or word.value is not None or word.text in _SMALL for word in reading.words[start:end])


def _names_something(reading: Reading, start: int, end: int) -> bool:
    return any(word.capital or word.value is not None for word in reading.words[start:end])


def _hedged(context: Context, match: Match) -> bool:
    reading, sentence = context.reading, context.sentence(match)
    for mark in context.beside(match, Sense.HEDGE):
        start, end = reading.clause(mark.start)
        alone = end - start <= mark.end - mark.start + 1  # "Paris, perhaps."
        if context.together(mark.start, match.start) or (alone and _next_to(reading, mark, match)):
            return True
    if any(True for _ in context.beside(match, Sense.DOUBT)):
        return True
    doubts = [mark for mark in context.marks if mark.sense is Sense.DOUBT]
    if any(mark.start < sentence.start for mark in doubts):
        return True
    after = [one for one in reading.sentences if one.start == sentence.end]
    short = after and after[0].end - after[0].start <= _AFTERTHOUGHT
    return bool(short) and any(after[0].start <= mark.start < after[0].end for mark in doubts)


def _next_to(reading: Reading, mark: Mark, match: Match) -> bool:
    return abs(reading.clause_of[mark.start] - reading.clause_of[match.start]) == 1


def _supposed(context: Context, match: Match) -> bool:
    sentence = context.sentence(match)
    return any(
        mark.start == sentence.start or (mark.end <= match.start and context.together(mark.start, match.start))
        for mark in context.beside(match, Sense.CONDITION)
    )


def _retracted(context: Context, match: Match) -> bool:
    """Whether a clause behind the answer begins by taking back what was said."""
    reading = context.reading
    return any(
        mark.sense is Sense.RETRACTION
        and mark.start >= match.end
        and mark.end < len(reading.words)
        and reading.clause(mark.start)[0] == mark.start
        for mark in context.marks
    )
