"""Normal forms of answers: the SQuAD form that keys and exact match use, and the form in which a reply is read."""

import re
import unicodedata

from pipeline.normal_forms import UNSPACED, normal_form

YES_OR_NO = frozenset({"yes", "no", "true", "false"})  # answers (normalised) that name nothing
_ARTICLES = frozenset({"a", "an", "the"})


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single blanks: SQuAD's normalisation (Rajpurkar et al., 2016).

    It differs in two points: the marks of a number survive ("3.5" is not "35", "-5" is not "5"), and a text that
    holds nothing but an article keeps it ("A" is an answer).
    """
    text = normal_form("NFKC", text).casefold()
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    kept = (char if _is_kept(text, at) else " " if char in "-–—/" else "" for at, char in enumerate(text))
    words = "".join(kept).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _is_kept(text: str, at: int) -> bool:
    char = text[at]
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if char == "." and before.isdigit() and after.isdigit():
        return True
    if char == "-" and after.isdigit() and not before.strip():
        return True
    return unicodedata.category(char)[0] not in "PSC" or char.isspace()


_UNSPACED = re.compile(f"[{UNSPACED}]")


def mentions(text: str, answer: str) -> bool:
    """Whether the answer stands in the text as whole words; at a character of a script without spaces, anywhere."""
    sought = spelled(answer)
    return bool(sought.strip()) and sought in spelled(text)


def spelled(text: str) -> str:
    """The normalised text with a blank before and after each word, as `mentions` compares it."""
    words = _UNSPACED.sub(r" \g<0> ", normalise(text)).split()
    return f" {' '.join(words)} "


def words_of(text: str) -> frozenset[str]:
    """The words of a table's line."""
    return frozenset(text.split())


def first_line(answer: str) -> str:
    """The first line that holds anything."""
    return next((line.strip() for line in answer.splitlines() if line.strip()), "")


_RAISED = re.compile("[⁰¹²³⁴-⁹⁻]+")
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SIGNS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "−": "-", "‐": "-", "‑": "-"})
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufe0f\ufeff]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


def readable(text: str) -> str:
    """The text in one spelling of its signs: NFKC, ASCII digits, quotes and minus signs; "m²" is "m^2", never "m2"."""
    text = _RAISED.sub(lambda found: "^" + found[0].translate(_PLAIN), _HIDDEN.sub("", text))
    text = normal_form("NFKC", text).translate(_SIGNS)
    return _FOREIGN.sub(lambda found: _ascii_digit(found[0]), text)


def _ascii_digit(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    return char if digit is None else str(digit)


_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


def without_accents(word: str) -> str:
    """A word (lower case) without its accents, where these are Latin, Greek or Cyrillic: "zürich" is "zurich"."""
    if word.isascii():
        return word
    parts = unicodedata.normalize("NFD", word.translate(_LETTERS))
    return unicodedata.normalize("NFC", "".join(char for char in parts if not "\u0300" <= char <= "\u036f"))
