"""Unicode's normal forms in time that grows with the text. Knows no document and no answer."""

import re
import unicodedata
from itertools import groupby
from typing import Literal

Form = Literal["NFC", "NFKC"]
_DECOMPOSED: dict[Form, Literal["NFD", "NFKD"]] = {"NFC": "NFD", "NFKC": "NFKD"}
# Below U+0300 no character is a mark. Few languages set so many others in a row, and none so many marks.
_STRETCH = re.compile("[^\x00-\u02ff]{31,}")


def normal_form(form: Form, text: str) -> str:
    """`text` in that form, as `unicodedata.normalize` gives it.

    CPython orders the marks on one character by insertion: a megabyte of them takes it minutes. So long rows of marks
    are put in Unicode's canonical order first (Unicode Standard, 3.11), which changes nothing of the result.
    """
    return unicodedata.normalize(form, _STRETCH.sub(lambda found: _in_order(found[0], _DECOMPOSED[form]), text))


def _in_order(stretch: str, form: Literal["NFD", "NFKD"]) -> str:
    parts = [unicodedata.normalize(form, char) for char in stretch]
    ordered: list[str] = []
    for are_marks, row in groupby(parts, key=lambda part: unicodedata.combining(part[0]) > 0):
        chars = "".join(row)
        ordered += sorted(chars, key=unicodedata.combining) if are_marks else chars
    return "".join(ordered)
