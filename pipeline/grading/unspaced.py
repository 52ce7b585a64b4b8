"""Whether characters of a script without spaces stand for themselves, and not inside a longer word.

京都 stands in 東京都 and is no part of it. Without a dictionary the neighbours tell: particles, the last characters of
common titles and kinds of places, signs, or another script.
"""

from collections.abc import Sequence

import regex

from pipeline.grading.normalisation import words_of
from pipeline.grading.tokens import Word

_HAN, _KANA = regex.compile(r"\p{Han}"), regex.compile(r"\p{Hiragana}")
_THAI, _HANGUL = regex.compile(r"\p{Thai}"), regex.compile(r"\p{Hangul}")
# Characters that may stand directly before a Chinese or Japanese name, and directly behind one.
_BEFORE = frozenset(
    "是在的了为為叫于於位由和与與或即向从從到被给給对對有至名以第家国國省市县縣州人者员員师師长長王帝都城学院社区區约約共归歸属屬"
)
_BEHIND = frozenset(
    "的了是在和与與或及市省县縣州国國人年月日时時等也都吗嗎呢吧啊个個位名为為有发發写寫说說出来來地府県区區番所负負拥擁管"
)
# Particles that follow a Korean word, and Thai words around a name.
_KOREAN = tuple(
    words_of(
        "은 는 이 가 을 를 의 에 에서 로 으로 와 과 도 만 까지 부터 입니다 이다 다 예요 이에요 "
        "였다 이었다 였습니다 이었습니다 라고 이라고 일 아니 이며 며 인 시 씨 님"
    )
)
_THAI_BEFORE = tuple(
    words_of("คือ ที่ ใน เป็น ของ ชื่อ ว่า โดย และ หรือ เมือง ประเทศ จังหวัด กรุง แม่น้ำ นาย นาง คุณ ใช่ ปี จาก ถึง ได้แก่")
)
_THAI_BEHIND = tuple(words_of("ครับ ค่ะ คะ และ หรือ เป็น คือ ที่ ใน ของ ซึ่ง นะ จ้ะ ไม่ ได้"))
_REACH = 12  # characters that are looked at on either side


def stands_alone(words: Sequence[Word], start: int, end: int) -> bool:
    """Whether the characters in words[start:end] are bounded on both sides; words with spaces always are."""
    first, last = words[start], words[end - 1]
    left = first.kind != "character" or _bounded_left(first, _run(words, start, -1))
    return left and (last.kind != "character" or _bounded_right(last, _run(words, end, 1)))


def _run(words: Sequence[Word], at: int, step: int) -> str:
    """The characters that follow without a gap, or stand before, in reading order."""
    chars, place = "", at
    if step < 0:
        while place > 0 and not words[place].gap and words[place - 1].kind == "character" and len(chars) < _REACH:
            place -= 1
            chars = words[place].text + chars
        return chars
    while place < len(words) and not words[place].gap and words[place].kind == "character" and len(chars) < _REACH:
        chars += words[place].text
        place += 1
    return chars


def _bounded_left(first: Word, before: str) -> bool:
    if not before:
        return True
    if _HANGUL.match(first.text):
        return not _HANGUL.match(before[-1])
    if _THAI.match(first.text):
        return before.endswith(_THAI_BEFORE)
    if _HAN.match(first.text):
        return before[-1] in _BEFORE or not _HAN.match(before[-1])
    return not _KANA.match(first.text) or not _KANA.match(before[-1]) or before[-1] in "はがのをにでとも"


def _bounded_right(last: Word, behind: str) -> bool:
    if not behind:
        return True
    if _HANGUL.match(last.text):
        return not _HANGUL.match(behind[0]) or behind.startswith(_KOREAN)
    if _THAI.match(last.text):
        return behind.startswith(_THAI_BEHIND)
    if _HAN.match(last.text):
        return behind[0] in _BEHIND or not _HAN.match(behind[0])
    return not _KANA.match(last.text) or not _KANA.match(behind[0]) or behind[0] in "はがのをにでともやかだ"
