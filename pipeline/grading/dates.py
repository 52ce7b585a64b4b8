"""Reads dates and times of day out of words, in the months' names of the reply's language or in figures."""

from collections.abc import Sequence

from pipeline.grading.languages import ENGLISH, LANGUAGES, Language
from pipeline.grading.tokens import Word
from pipeline.grading.values import Date, Time, Value

Found = tuple[Value, int] | None  # a value, and how many words it takes

_ORDINAL = frozenset({"st", "nd", "rd", "th", "er", "."})
_ERAS = {"bc": -1, "bce": -1, "ad": 1, "ce": 1}
_HALVES = {"am": 0, "pm": 720}
_LINKS = frozenset({"of", "de", "del", "di", "den"})
_AMBIGUOUS = frozenset({"may", "march", "mars", "mart", "maio", "ocak", "agosto"})
_YEARS = range(100, 2200)
_SHORTENED = {name[:3]: number for name, number in ENGLISH.months.items()} | {"sept": 9}
_NAMED = {name: number for one in reversed(LANGUAGES.values()) for name, number in one.months.items()}
_MONTHS = _SHORTENED | _NAMED


def date_at(words: Sequence[Word], at: int, language: Language) -> Found:
    """The date that begins at that word: "4 July 1776", "July 4th, 1776", "July 1776", "1776年7月4日", "44 BC"."""
    word = words[at]
    if word.kind == "date":
        return _in_figures(word)
    if word.kind == "number":
        return _chinese(words, at) or _era(words, at) or _day_first(words, at, language)
    if word.text in _ERAS and (year := _figures(words, at + 1, range(1, 2200))):
        return Date(year=year * _ERAS[word.text]), 2
    return _month_first(words, at, language)


def _in_figures(word: Word) -> Found:
    """ "1776-07-04" and "4.7.1776"; "4/7/1776" only where it has one reading."""
    mark = next(char for char in word.text if not char.isdigit())
    first, second, third = (int(part) for part in word.text.split(mark))
    if first > 31:
        return _checked(first, second, third)
    if mark == "/" and first <= 12 and second <= 12 and first != second:
        return None
    return _checked(third, first, second) if mark == "/" and second > 12 else _checked(third, second, first)


def _checked(year: int | None, month: int, day: int) -> Found:
    return (Date(year, month, day), 1) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _chinese(words: Sequence[Word], at: int) -> Found:
    parts, end = dict[str, int](), at
    for name, sign in (("year", "年"), ("month", "月"), ("day", "日")):
        number = _figures(words, end, range(1, 3000))
        if number and end + 1 < len(words) and words[end + 1].text == sign:
            parts, end = parts | {name: number}, end + 2
    return (Date(**parts), end - at) if parts and parts.keys() != {"day"} else None


def _era(words: Sequence[Word], at: int) -> Found:
    year = _figures(words, at, range(1, 10_000))
    era = words[at + 1] if at + 1 < len(words) else None
    if not year or era is None or era.gap != " " or era.text not in _ERAS:
        return None
    return Date(year=year * _ERAS[era.text]), 2


def _day_first(words: Sequence[Word], at: int, language: Language) -> Found:
    day, end = _figures(words, at, range(1, 32)), at + 1
    if end < len(words) and words[end].text in _LINKS:
        end += 1
    month = _month(words, end, language) if day else None
    if not month or words[end].gap.strip(" .") != "":
        return None
    return _with_year(words, at, end + 1, Date(month=month, day=day), language)


def _month_first(words: Sequence[Word], at: int, language: Language) -> Found:
    month = _month(words, at, language)
    if not month:
        return None
    day = _figures(words, at + 1, range(1, 32))
    if day and words[at + 1].gap in (" ", ". ", " the "):
        return _with_year(words, at, at + 2, Date(month=month, day=day), language)
    named = words[at].text not in _AMBIGUOUS or words[at].capital
    found = _with_year(words, at, at + 1, Date(month=month), language) if named else None
    return found if found and isinstance(found[0], Date) and found[0].year else None


def _with_year(words: Sequence[Word], at: int, end: int, date: Date, language: Language) -> Found:
    linked = end + 1 if end < len(words) and words[end].text in _LINKS else end
    year = _figures(words, linked, _YEARS)
    if year and words[linked].gap in (" ", ", ") and not words[linked].suffix:
        return Date(year, date.month, date.day), linked + 1 - at
    return date, end - at


def _month(words: Sequence[Word], at: int, language: Language) -> int | None:
    return month_of(words[at].text, language) if at < len(words) else None


def month_of(text: str, language: Language) -> int | None:
    """The number of the month of that name: in the language, or in any, since a date alone tells none."""
    return language.months.get(text) or _MONTHS.get(text)


def _figures(words: Sequence[Word], at: int, within: range) -> int | None:
    """The whole number there, if it is in the range; "4th" is 4."""
    if at >= len(words) or words[at].kind != "number" or not words[at].shown.isdigit() or len(words[at].shown) > 4:
        return None
    number = int(words[at].shown)
    return number if number in within and words[at].suffix.casefold() in {"", *_ORDINAL} else None


def time_at(words: Sequence[Word], at: int) -> Found:
    """The time of day that begins at that word: "8:30", "8.30 pm", "5 pm", "5pm"."""
    word, after = words[at], words[at + 1] if at + 1 < len(words) else None
    if word.suffix.casefold() in _HALVES:
        half, length = word.suffix.casefold(), 1
    else:
        half, length = (after.text, 2) if after and after.text in _HALVES else ("", 1)
    if word.kind not in ("time", "number") or (word.kind == "number" and not half):
        return None
    hour, _, minute = word.shown.replace(".", ":").partition(":")
    if not hour.isdigit() or not (minute[:2] or "0").isdigit() or int(hour) > 24 or int(minute[:2] or 0) > 59:
        return None
    shift = _HALVES.get(half, 0)
    return Time((int(hour) % 12 if half else int(hour)) * 60 + int(minute[:2] or 0) + shift), length
