"""Whether a reply sets other values of the same kind beside an answer: "80 or 81", "Paris and London", a list."""

from collections.abc import Sequence

from pipeline.grading.context import Context
from pipeline.grading.languages import Mark, Sense
from pipeline.grading.matching import Match
from pipeline.grading.names import is_holding_place
from pipeline.grading.normalisation import words_of
from pipeline.grading.reading import Reading, texts
from pipeline.grading.tokens import Word, kind_of

_SMALL = words_of("a an the in at on by to of for from either else even also maybe")
_VERBS = words_of("is are was were has had")
_INDEFINITE = words_of("a an")
_LONGEST_ITEM = 4  # words of a list's item
_REACH = 4  # words between a value and its "or"
_FRAME = 2  # words that two sentences begin with alike


def is_one_of_several(context: Context, match: Match) -> bool:
    """Whether the reply names rivals of the answer there; names of the question are none."""
    return _joined(context, match) or _listed(context, match) or _said_otherwise(context, match)


def _kinds(reading: Reading, match: Match) -> set[str]:
    """The kinds of the answer's words; of a name its small words do not count."""
    kinds = {kind_of(word) for word in reading.words[match.start : match.end] if word.text not in _SMALL}
    return kinds - {"word"} or kinds


def _is_rival(context: Context, match: Match, word: Word, asked: frozenset[str]) -> bool:
    own = {one.plain for one in match.wanted}
    said_in_question = word.plain in asked and word.value is None
    return kind_of(word) in _kinds(context.reading, match) and word.plain not in own and not said_in_question


def _joined(context: Context, match: Match) -> bool:
    """Whether "or" or "and" joins it with a rival: before it, behind it, or behind its noun ("80 seats or 81")."""
    asked, reading = texts(context.question.words), context.reading
    for mark in context.beside(match, Sense.ALTERNATIVE, Sense.CONJUNCTION):
        after = mark.start >= match.end
        between = reading.words[match.end : mark.start] if after else reading.words[mark.end : match.start]
        if len(between) > _REACH or not all(_is_small(word, after=after) for word in between):
            continue
        if mark.sense is Sense.CONJUNCTION and between and after:
            continue  # "4 floors and 12 rooms"
        near = _behind(reading, mark) if after else _before(reading, mark)
        if any(_is_rival(context, match, word, asked) for word in _phrase(near, mark.sense)):
            return True
    return False


def _behind(reading: Reading, mark: Mark) -> Sequence[Word]:
    """The next words, the nearest first."""
    return reading.words[mark.end : mark.end + _REACH]


def _before(reading: Reading, mark: Mark) -> Sequence[Word]:
    """The words before, the nearest first."""
    return reading.words[max(mark.start - _REACH, 0) : mark.start][::-1]


def _is_small(word: Word, *, after: bool) -> bool:
    """Whether a word may stand between a value and "or": a noun of it behind the value, only small words before."""
    if word.text in _SMALL:
        return True
    return after and word.value is None and not word.capital and word.text not in _VERBS


def _phrase(words: Sequence[Word], sense: Sense) -> list[Word]:
    """The words of the other value: behind "and" only its first, since a new statement may follow."""
    kept = [word for word in words if word.text not in _SMALL]
    return kept[:1] if sense is Sense.CONJUNCTION else kept[:2]


def _listed(context: Context, match: Match) -> bool:
    """Whether its clause is one item among short ones of the same kind, in a row or one a line."""
    reading, sentence = context.reading, context.sentence(match)
    items = _items(reading, sentence.start, sentence.end)
    own = next(((a, b) for a, b in items if a <= match.start < b), None)
    if own is None or match.end > own[1] or not _is_item(context, match, own):
        return False
    number = items.index(own)
    before = [items[number - 1]] if number and _separates(reading, own[0]) else []
    after = [items[number + 1]] if number + 1 < len(items) and _separates(reading, items[number + 1][0]) else []
    return any(_is_rival_item(context, match, item) for item in before + after)


def _items(reading: Reading, start: int, end: int) -> list[tuple[int, int]]:
    items, at = list[tuple[int, int]](), start
    while at < end:
        items.append(reading.clause(at))
        at = items[-1][1]
    return items


def _separates(reading: Reading, at: int) -> bool:
    return bool(set(reading.gap(at)) & set(",;/\n、،")) and ":" not in reading.gap(at)


def _is_item(context: Context, match: Match, item: tuple[int, int]) -> bool:
    """Whether nothing stands beside the answer in its clause but small words: a bare item."""
    words = context.reading.words
    others = [*words[item[0] : match.start], *words[match.end : item[1]]]
    return all(word.text in _SMALL for word in others)


def _is_rival_item(context: Context, match: Match, item: tuple[int, int]) -> bool:
    """Whether it is short, of the answer's kind alone, and names another value."""
    reading, asked = context.reading, texts(context.question.words)
    words = [word for word in reading.words[item[0] : item[1]] if word.text not in _SMALL | {"and", "or"}]
    if not 0 < len(words) <= _LONGEST_ITEM or reading.gap(item[1]).lstrip()[:1] == ":":
        return False
    if _says_more(context, match, item, words):
        return False
    kinds = _kinds(reading, match)
    return all(kind_of(word) in kinds for word in words) and any(_is_rival(context, match, one, asked) for one in words)


def _says_more(context: Context, match: Match, item: tuple[int, int], words: Sequence[Word]) -> bool:
    """Whether it tells of the answer: "Paris, France", "coal, which burns well", "the cheetah, a big cat"."""
    reading = context.reading
    holds = len(words) == 1 and is_holding_place(words[0]) and item[0] >= match.end
    denied = any(item[0] <= mark.start < item[1] for mark in context.beside(match, Sense.ASIDE, Sense.NEGATION))
    states = any(word.text in reading.language.common for word in words)
    own_article = match.start > 0 and reading.words[match.start - 1].text in _INDEFINITE
    return holds or denied or states or (reading.words[item[0]].text in _INDEFINITE and not own_article)


def _said_otherwise(context: Context, match: Match) -> bool:
    """Whether another sentence begins alike and goes on with a rival: "It has 3 floors. It has 4 floors"."""
    reading, own = context.reading, context.sentence(match)
    frame = [word.text for word in reading.words[own.start : match.start]]
    if len(frame) < _FRAME:
        return False
    for sentence in reading.sentences:
        place = sentence.start + len(frame)
        alike = sentence.start != own.start and place < sentence.end and not sentence.asks
        if alike and [word.text for word in reading.words[sentence.start : place]] == frame:
            one, other = reading.words[match.start], reading.words[place]
            if kind_of(other) == kind_of(one) and other.plain != one.plain:
                return True
    return False
