"""Joins the words of a number, a quantity, a range or a date into one word with its value. In linear time."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from pipeline.grading.dates import Found, date_at, time_at
from pipeline.grading.languages import Language
from pipeline.grading.normalisation import words_of
from pipeline.grading.numbers import SCALES, amount_of, chinese, is_numeral
from pipeline.grading.tokens import Word
from pipeline.grading.units import CURRENCIES, MOST_WORDS, unit_of
from pipeline.grading.values import Number, Ordinal, Quantity, Range, Unit

_POWERS = {
    2: "hundred",
    3: "thousand k тысяч हज़ार",
    5: "lakh लाख",
    6: "million millions mn mio mln млн juta triệu milyon مليون",
    7: "crore",
    9: "billion bn mrd млрд",
    12: "trillion",
}
_SCALE = {name: 10**power for power, names in _POWERS.items() for name in names.split()} | {"dozen": 12} | SCALES
_WORDED = frozenset({10**3, 10**6, 10**9, 10**12})  # scales that were spelled out, and are figures now
_ORDINALS = frozenset({"st", "nd", "rd", "th", "er", "ère", "e", "è", "ème", "eme", "ième", "ste", "de", "º"})
_DASHES = frozenset({"-", "–", " – ", " - ", "—"})
_COUNTERS = frozenset("个個名位人年月日次岁歳回番本枚台层層页頁章天件家")
_DETERMINERS = words_of("this that the no which every any each another some only")
_CHANGES = words_of(
    "changed moved switched renamed raised increased lowered reduced decreased grew rose fell dropped upgraded "
    "migrated went updated cut shifted relocated converted"
)


def valued(found: Sequence[Word], language: Language) -> list[Word]:
    """The words, those that make up a value joined into one."""
    words, joined, at = _numerals(found), list[Word](), 0
    while at < len(words):
        read = _read(words, at, language)
        length = read[1] if read else 1
        joined.append(_joined(words[at : at + length], read) if read else words[at])
        at += length
    return _compounds(joined)


def _joined(words: Sequence[Word], read: Found) -> Word:
    shown = "".join((word.gap if at else "") + word.shown for at, word in enumerate(words))
    return replace(words[0], text=shown.casefold(), shown=shown, kind="value", value=read[0] if read else None)


def _read(words: Sequence[Word], at: int, language: Language) -> Found:
    read = date_at(words, at, language) or time_at(words, at) or _between(words, at, language)
    return read or _range(words, at, language) or _quantity(words, at, language)


def _numerals(found: Sequence[Word]) -> list[Word]:
    """Chinese numerals as numbers: two or more of them, or one before a counter; 万 alone may be part of a word."""
    words, at = list[Word](), 0
    while at < len(found):
        end = at
        while end < len(found) and is_numeral(found[end].text) and (end == at or not found[end].gap):
            end += 1
        counted = end < len(found) and found[end].text in _COUNTERS
        number = (
            chinese("".join(word.text for word in found[at:end])) if end - at > 1 or (end > at and counted) else None
        )
        scaled = bool(words) and words[-1].kind == "number" and not found[at].gap
        if number is None or scaled:
            words += found[at : max(end, at + 1)]
        else:
            words.append(replace(found[at], text=str(number), shown=str(number), kind="number"))
        at = max(end, at + 1)
    return words


def _number(words: Sequence[Word], at: int, language: Language) -> tuple[Number, int] | None:
    """A number with its sign and scale: "-5", "3.5 million", "250k", "3.5万", "1.5 × 10^6", "2/3"."""
    word, after = words[at], words[at + 1] if at + 1 < len(words) else None
    if word.text == "minus" and after and after.gap == " " and (read := _number(words, at + 1, language)):
        return Number(-read[0].amount), read[1] + 1
    if word.text == "one" and language.code == "en" and (at == 0 or words[at - 1].text not in _DETERMINERS):
        return Number(Fraction(1)), 1
    if word.kind == "fraction":
        top, _, bottom = word.shown.partition("/")
        return (Number(Fraction(int(top[:40]), int(bottom[:40]))), 1) if bottom.strip("0") else None
    amount = amount_of(word.shown, decimal_comma=language.decimal_comma) if word.kind == "number" else None
    if amount is None:
        return None
    scale, length = _scale(word, after, amount)
    if length == 1 and scale == 1 and (power := _power(words, at)):
        return Number(amount * power[0]), power[1]
    minus = -1 if word.gap.endswith("-") and not word.gap[:-1].strip(" (") and (at == 0 or len(word.gap) > 1) else 1
    plain = word.shown.isdigit() and scale == minus == 1 and length == 1
    return Number(minus * amount * scale, year=plain and len(word.shown) <= 4), length


def _scale(word: Word, after: Word | None, amount: Fraction) -> tuple[int, int]:
    """What a number is multiplied by, and how many words that takes."""
    if scale := _SCALE.get(word.suffix.casefold(), 10**6 if word.suffix == "M" else 0):
        return scale, 1
    if after is None or word.suffix or after.gap not in ("", " "):
        return 1, 1
    if (scale := _SCALE.get(after.text, 0)) and not (after.shown == "K" and after.gap):  # "300 K" are kelvins
        return scale, 2
    worded = after.gap == " " and after.shown.isdigit() and len(after.shown) < 14 and int(after.shown) in _WORDED
    return (int(after.shown), 2) if worded and amount < 1000 else (1, 1)


def _power(words: Sequence[Word], at: int) -> tuple[Fraction, int] | None:
    times = at + 1 < len(words) and words[at + 1].kind == "power" and words[at + 1].gap.strip() in ("×", "·", "*")
    place = at + 1 if times else at + 2
    crossed = times or (at + 2 < len(words) and words[at + 1].text == "x" and words[at + 2].kind == "power")
    exponent = words[place].text.removeprefix("10^") if crossed else "99"
    return (Fraction(10) ** int(exponent), place + 1 - at) if len(exponent) < 3 and abs(int(exponent)) <= 30 else None


def _quantity(words: Sequence[Word], at: int, language: Language) -> Found:
    """A number, with its unit where it has one, before it ($5) or behind it."""
    word = words[at]
    if word.kind in ("sign", "word") and word.shown in CURRENCIES and at + 1 < len(words):
        return _price(words, at, language)
    if word.suffix.casefold() in _ORDINALS | ({"a", "o"} if language.code in ("es", "it", "pt") else set()):
        return (Ordinal(int(word.shown)), 1) if word.shown.isdigit() and len(word.shown) < 9 else None
    if word.text in ("a", "an") and at + 1 < len(words) and len(words[at + 1].shown) > 2:
        unit, taken = _unit(words, at + 1)  # "an hour"
        return (Quantity(Fraction(1), unit), 1 + taken) if unit else None
    read = _number(words, at, language)
    if read is None:
        return None
    number, length = read
    if word.suffix and number.amount == amount_of(word.shown, decimal_comma=language.decimal_comma):
        unit = unit_of(word.suffix, word.suffix.casefold())  # what else is glued to a number makes it a name: 3D
        return (Quantity(number.amount, unit), length) if unit and length == 1 else None
    unit, taken = _unit(words, at + length)
    return (Quantity(number.amount, unit), length + taken) if unit else (number, length)


def _price(words: Sequence[Word], at: int, language: Language) -> Found:
    """A number behind its currency; "$5m" are millions, not metres."""
    amount, unit = words[at + 1], unit_of(words[at].shown, words[at].text)
    if amount.gap not in ("", " ") or unit is None:
        return None
    amount = replace(amount, suffix=amount.suffix.replace("m", "M")) if len(amount.suffix) == 1 else amount
    read = _number([words[at], amount, *words[at + 2 : at + 4]], 1, language)
    return (Quantity(read[0].amount, unit), read[1] + 1) if read else None


def _unit(words: Sequence[Word], at: int) -> tuple[Unit | None, int]:
    for length in range(MOST_WORDS, 0, -1):
        part = words[at : at + length]
        if len(part) == length and part[0].gap in ("", " ", "-") and all(word.gap in ("", " ") for word in part[1:]):
            shown = "".join((word.gap if place else "") + word.shown for place, word in enumerate(part))
            if unit := unit_of(shown, " ".join(word.text for word in part) if " " in shown else shown.casefold()):
                return unit, length
    return None, 0


def is_old_value(words: Sequence[Word], at: int) -> bool:
    """Whether a change is told from the value there to another: "was raised from 5 to 7"."""
    return at >= 2 and words[at - 1].text == "from" and words[at - 2].text in _CHANGES


def _range(words: Sequence[Word], at: int, language: Language) -> Found:
    """ "24-10", "1914–18", "24 to 10": two plain numbers."""
    first = None if is_old_value(words, at) else _number(words, at, language)
    if first is None or words[at].suffix or at + first[1] >= len(words):
        return None
    place = at + first[1]
    if words[place].text in ("to", "bis") and place + 1 < len(words) and words[place + 1].gap == " ":
        place += 1
    elif words[place].gap not in _DASHES:
        return None
    last = _number([*words[place : place + 1], *words[place + 1 : place + 3]], 0, language)
    return (_spanned(first[0], last[0]), place + last[1] - at) if last and not words[place].suffix else None


def _spanned(first: Number, last: Number) -> Range:
    """From the first to the last; "1914–18" ends in 1918. A dash before the last number is no minus."""
    end, begin = abs(last.amount), first.amount
    if first.year and begin >= 1000 and end < 100:
        end += begin - begin % 100
    return Range(begin, end)


def _between(words: Sequence[Word], at: int, language: Language) -> Found:
    """ "between 1558 and 1603"."""
    if words[at].text != "between" or at + 1 >= len(words):
        return None
    first = _number(words, at + 1, language)
    place = at + 2 + (first[1] if first else 0)
    if first is None or place >= len(words) or words[place - 1].text != "and":
        return None
    last = _number(words, place, language)
    return (_spanned(first[0], last[0]), place + last[1] - at) if last else None


def _compounds(words: Sequence[Word]) -> list[Word]:
    """ "6 feet 2 inches" and "1 hour 30 minutes" as one quantity."""
    joined: list[Word] = []
    for word in words:
        before = joined[-1].value if joined else None
        now, near = word.value, word.gap in (" ", ", ")
        if near and isinstance(before, Quantity) and isinstance(now, Quantity) and _continues(before, now):
            total = Quantity((before.base + now.base) / before.unit.factor, before.unit)
            joined[-1] = _joined([joined[-1], word], (total, 2))
        else:
            joined.append(word)
    return joined


def _continues(before: Quantity, now: Quantity) -> bool:
    one, other = before.unit, now.unit
    same = one.dimension == other.dimension and one.system == other.system and one.dimension != "temperature"
    return same and other.factor < one.factor and 0 < now.base < one.factor
