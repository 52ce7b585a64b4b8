"""Reads numbers: in figures of each way of writing, in words, in Chinese numerals. Knows no unit and no date."""

import re
from fractions import Fraction

from text_to_num import alpha2digit

_LONGEST = 40  # figures that are read as a number; more name something
_MOST_POWER = 30
_ISOLATED = 1  # "one" stays a word where it stands alone

_SMALL = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PARTS = {"half": 2, "halves": 2} | {
    f"{name}{plural}": worth
    for name, worth in {"third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}.items()
    for plural in ("", "s")
}
_FRACTION = re.compile(
    rf"\b(?:(?:(\d{{1,3}}|{'|'.join(_SMALL)})[ -]|(an?) )?({'|'.join(_PARTS)}))\b(?! (?:of|to) (?:an?|the) )",
    re.IGNORECASE,
)
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_TEENS = "thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_YEAR = re.compile(
    rf"\b({_TEENS}|twenty)[ -]((?:ten|eleven|twelve|{_TEENS}|{_TENS})(?:(?<=ty)[ -](?:{'|'.join(_SMALL[:9])}))?)\b",
    re.IGNORECASE,
)
_SECOND = re.compile(r"\b(an?|one|per|each|every|\d) second\b", re.IGNORECASE)
_AND_A_HALF = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_SMALL)}) and a half\b", re.IGNORECASE)
_ONE_AND_A_HALF = re.compile(r"\b(?:an?|one) (\w+) and a half\b", re.IGNORECASE)
_FIRST = re.compile(r"(?<![\w-])(?<!ty )first\b", re.IGNORECASE)
_HYPHENED = re.compile(rf"\b({'|'.join(_SMALL[1:])})-(?=(?:year|month|week|day|hour|minute|second|metre|meter|mile)\b)")
_DOZEN = re.compile(r"\ba dozen\b", re.IGNORECASE)


def in_figures(text: str, language: str) -> str:
    """The text with the numbers that it spells out in figures. `language`: its name in text2num, "" for none."""
    if not language:
        return text
    if language == "en":
        text = _AND_A_HALF.sub(
            lambda found: f"{_small(found[1])}.5", _ONE_AND_A_HALF.sub(r"1.5 \1s", _FIRST.sub("1st", text))
        )
        text = _DOZEN.sub("12", _SECOND.sub(r"\1 seconds", text))
        text = _HYPHENED.sub(lambda found: f"{_small(found[1])}-", _YEAR.sub(_year, _FRACTION.sub(_fraction, text)))
    return str(alpha2digit(text.replace("eintiún", "eintiuno"), language, _ISOLATED))  # it knows no "veintiún"


def _year(found: re.Match[str]) -> str:
    """ "nineteen eighty-four" is 1984."""
    return "".join(str(alpha2digit(part.replace("-", " "), "en", 0)) for part in found.groups())


def _fraction(found: re.Match[str]) -> str:
    """ "two thirds" is 2/3; "third" alone is a place, and "a quarter" a fraction."""
    count, article, part = found[1], found[2], found[3].casefold()
    if not count and not article and part != "half":
        return found[0]
    top = _small(count) if count else 1
    plural = part.endswith("s") or part == "halves"
    return f"{top}/{_PARTS[part]}" if plural == (top > 1) else found[0]


def _small(count: str) -> int:
    return int(count) if count.isdigit() else 1 + _SMALL.index(count.casefold())


_GROUPS = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")
_POWER = re.compile(r"(?P<head>.+)e(?P<power>[+-]?\d+)")


def amount_of(figures: str, *, decimal_comma: bool) -> Fraction | None:
    """What figures are worth: "1,000", "1 000", "1'000", "3.5", "1.5e6". None for what is no number: "10.0.0.1".

    `decimal_comma`: how "3,500" and "3.500" are read, which alone do not tell.
    """
    figures = figures.replace(" ", "").replace("'", "")
    if len(figures) > _LONGEST:
        return None
    if power := _POWER.fullmatch(figures):
        head, exponent = amount_of(power["head"], decimal_comma=decimal_comma), int(power["power"])
        return None if head is None or abs(exponent) > _MOST_POWER else head * Fraction(10) ** exponent
    point = _decimal_mark(figures, "," if decimal_comma else ".")
    if point is None:
        return None
    whole, _, part = figures.rpartition(point) if point else (figures, "", "")
    whole = re.sub("[.,]", "", whole)
    return Fraction(f"{whole}.{part}") if part else Fraction(whole)


def _decimal_mark(figures: str, usual: str) -> str | None:
    """The decimal mark in figures, "" where they have none, and None where they are no number."""
    marks = [char for char in figures if char in ".,"]
    if not marks:
        return ""
    if len(set(marks)) == 2:
        head = figures.rpartition(marks[-1])[0]
        return marks[-1] if marks.count(marks[-1]) == 1 and _GROUPS.fullmatch(head) else None
    if len(marks) > 1:
        return "" if _GROUPS.fullmatch(figures) or _INDIAN.fullmatch(figures) else None
    grouped = _GROUPS.fullmatch(figures) and not figures.startswith("0")
    return "" if grouped and marks[0] != usual else marks[0]


_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_TIMES = {"十": 10, "百": 100, "千": 1000}
SCALES = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12, "만": 10**4, "억": 10**8}


def chinese(numeral: str) -> int | None:
    """A number in Chinese numerals (三百二十一 is 321, 二〇一六 is 2016), or None where it is none."""
    if not any(char in _TIMES or char in SCALES for char in numeral):
        return int("".join(str(_DIGITS[char]) for char in numeral)) if set(numeral) <= _DIGITS.keys() else None
    total, part, digit = 0, 0, 0
    for char in numeral:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _TIMES:
            part, digit = part + max(digit, 1) * _TIMES[char], 0
        elif char in SCALES:
            total, part, digit = (total + max(part + digit, 1)) * SCALES[char], 0, 0
        else:
            return None
    return total + part + digit


def is_numeral(char: str) -> bool:
    """Whether it is a Chinese numeral."""
    return char in _DIGITS or char in _TIMES or char in SCALES
