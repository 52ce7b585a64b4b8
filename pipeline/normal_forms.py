"""Unicode: normalisation in time that is linear in the text, whatever stands in it, and scripts without spaces."""

import re
import unicodedata
from itertools import groupby
from typing import Literal

# The inside of a character class: kana, ideographs, Thai and related scripts, which are written without spaces.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"

Form = Literal["NFC", "NFKC", "NFKD"]
_DECOMPOSED: dict[Form, Literal["NFD", "NFKD"]] = {"NFC": "NFD", "NFKC": "NFKD", "NFKD": "NFKD"}
# No character below U+0300 is a mark, and no language has so many marks in a row.
_STRETCH = re.compile("[^\x00-\u02ff]{31,}")


def normal_form(form: Form, text: str) -> str:
    """`text` in that form: the result of `unicodedata.normalize`.

    CPython sorts the marks on one character by insertion, which takes minutes for a megabyte of them. So long rows of
    marks are first put into the canonical order (Unicode Standard, 3.11), which does not change the result.
    """
    return unicodedata.normalize(form, _STRETCH.sub(lambda found: _in_order(found[0], _DECOMPOSED[form]), text))


# Letters of Cyrillic and Greek that look like Latin ones, as in the Unicode Standard's table of confusables (UTS 39).
_LOOK_LATIN = str.maketrans(
    "аеорсухіјѕԁһӏԛԝгАВЕКМНОРСТУХІЈЅαονικρτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhlqwrABEKMHOPCTYXIJSaoviKptuABEZHIKMNOPTYX",
)
_MIXED = re.compile(r"(?<!\w)(?=\w{0,40}[A-Za-z])(?=\w{0,40}[\u0370-\u052f])\w+")


def latin(text: str) -> str:
    """`text` with words of Latin letters and their look-alikes in Latin letters alone; of the same length."""
    return _MIXED.sub(lambda word: word[0].translate(_LOOK_LATIN), text)


def _in_order(stretch: str, form: Literal["NFD", "NFKD"]) -> str:
    parts = [unicodedata.normalize(form, char) for char in stretch]
    ordered: list[str] = []
    for are_marks, row in groupby(parts, key=lambda part: unicodedata.combining(part[0]) > 0):
        chars = "".join(row)
        ordered += sorted(chars, key=unicodedata.combining) if are_marks else chars
    return "".join(ordered)
