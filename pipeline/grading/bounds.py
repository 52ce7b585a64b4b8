"""Whether a value is named as a bound, a difference or what was before: "5 or more", "5 more than", "raised from 5"."""

from itertools import pairwise

from pipeline.grading.context import Context
from pipeline.grading.matching import Match
from pipeline.grading.normalisation import words_of
from pipeline.grading.quantities import is_old_value
from pipeline.grading.tokens import kind_of

_FORMERLY = words_of("formerly previously originally initially")
_BEFORE = _FORMERLY | words_of("from before old earlier")  # in a question that asks for what was
_OPEN = words_of("more less fewer later earlier above below older younger longer")
_LIMITS, _ARROWS = ("<", ">", "≤", "≥"), ("->", "=>")
_TO = words_of("to until till through bis à hasta")
_DIFFERENCE = 3  # words behind a value within which "than" makes it a difference: "5 years older than"


def is_not_the_value(context: Context, match: Match) -> bool:
    """Whether the reply names it only as an end of a range, as a difference or as what was before."""
    return _is_replaced(context, match) or _is_bound(context, match) or _is_difference(context, match)


def _is_replaced(context: Context, match: Match) -> bool:
    """Whether it is told as what was before, where the question does not ask for that: "formerly Peking"."""
    words, start = context.reading.words, match.start
    old = is_old_value(words, start) or (start > 0 and words[start - 1].text in _FORMERLY)
    return old and not any(word.text in _BEFORE for word in context.question.words)


def _is_bound(context: Context, match: Match) -> bool:
    """Whether it is an end of a range or a limit: "from 3 to 5 May", "5 dollars or more", "> 5"."""
    words, start, end = context.reading.words, match.start, match.end
    if words[start].value is None:
        return False
    sign = words[start].gap.rstrip()
    if sign.endswith(_LIMITS) and not sign.endswith(_ARROWS):
        return True
    if any(word.text == "or" and after.text in _OPEN for word, after in pairwise(words[end : end + 2])):
        return True
    if is_old_value(words, start) or is_old_value(words, start - 2):
        return False  # "raised from 5 to 7"
    kind = kind_of(words[end - 1])
    behind = end + 1 < len(words) and words[end].text in _TO and kind_of(words[end + 1]) == kind
    return behind or (start >= 2 and words[start - 1].text in _TO and kind_of(words[start - 2]) == kind)


def _is_difference(context: Context, match: Match) -> bool:
    """Whether a comparison follows in its clause, and the question does not compare: "5 more than last year"."""
    words = context.reading.words
    if words[match.start].value is None:
        return False
    last = min(match.end + _DIFFERENCE, context.reading.clause(match.end - 1)[1])
    behind = [word.text for word in words[match.end : last]]
    compared = "than" in behind and behind[behind.index("than") - 1] not in ("rather", "other")
    return compared and all(word.text != "than" for word in context.question.words)
