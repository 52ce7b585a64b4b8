"""Cuts a text into words, numbers and signs, each with what stands before it. Knows no language and no value.

Scripts that set no spaces between words (Chinese, Japanese, Thai, ...) are cut into characters. So is Hangul, whose
particles follow a word without a space.
"""

from dataclasses import dataclass
from functools import cached_property

import regex

from pipeline.grading.normalisation import readable, without_accents
from pipeline.grading.values import Quantity, Value

_CHARACTERS = r"\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hangul}"
_TOKEN = regex.compile(
    rf"""
    (?P<date>\d{{4}}-\d\d?-\d\d?(?!\d) | \d{{4}}/\d\d?/\d\d?(?!\d) | \d\d?([./])\d\d?\2\d{{4}}(?![\d.]))
  | (?P<time>\d\d?:\d\d(?::\d\d)?(?!\d))
  | (?P<fraction>\d++/\d++(?![\d/]))
  | (?P<power>10\^-?\d++)
  | (?P<number>(?:\d{{1,3}}(?:[ ']\d{{3}})++(?!\d)(?:[.,]\d++)? | \d++(?:[.,]\d++)*+)(?:e[+-]?\d\d?)?+)
    (?P<suffix>(?:'?s(?![\p{{L}}\p{{N}}]))?+[[\p{{L}}\p{{M}}\p{{N}}]--[{_CHARACTERS}]]*+)
  | (?P<character>[{_CHARACTERS}々]\p{{M}}*+)
  | (?P<sign>°\ ?[CF]\b|[%‰°&]|(?:US|CA|AU)?[$€£¥₹₩₽])
  | (?P<word>(?:km|mi|m|ft)/(?:h|s|hr)\b | \p{{L}}{{1,2}}\^-?\d | (?:\p{{L}}\.){{2,}}+\p{{L}}?+(?![\p{{L}}\p{{N}}])
    | [[\p{{L}}\p{{M}}\p{{N}}]--[{_CHARACTERS}]]++(?:'\p{{L}}++)*+)
    """,
    regex.VERBOSE | regex.VERSION1,
)
_ELIDED = frozenset(
    {"l", "d", "j", "m", "t", "s", "c", "n", "qu", "dell", "nell", "all", "sull", "dall", "un", "jusqu"}
)
_CONTRACTED = {"can": "can", "won": "will", "shan": "shall", "ain": "is"}
_ENDINGS = frozenset({"d", "ll", "ve", "re", "m"})
_TURKISH = regex.compile(r"(?:n?[ıiuü]n|[dt][ae]n?|y?[ae]|n?[ıiuü]|y?l[ae]|[dt][ıiuü]r|ki)(?:[dt][ıiuü]r)?")


@dataclass(frozen=True)
class Word:
    """A word, a number or a sign. `text`: folded; `shown`: as written; `gap`: all that stands before it.

    `kind`: "word", "character", "number", "sign", "date", "time", "fraction" or "power"; `value` where it is one.
    """

    text: str
    shown: str
    gap: str
    kind: str = "word"
    suffix: str = ""
    possessive: bool = False
    value: Value | None = None

    @cached_property
    def plain(self) -> str:
        """Without accents."""
        return without_accents(self.text)

    @property
    def capital(self) -> bool:
        """Whether it is written as a name is."""
        return self.kind == "word" and self.shown[:1].isupper()


def tokens(text: str) -> tuple[list[Word], str]:
    """The words of the text, and what follows the last one. In time linear in the text."""
    text, found, end = readable(text), list[Word](), 0
    for match in _TOKEN.finditer(text):
        gap, end = text[end : match.start()], match.end()
        if gap[:1] == "'" and found and (len(gap) == 1 or not gap[1].isalnum()) and found[-1].text.endswith("s"):
            found[-1], gap = _owning(found[-1]), gap[1:]
        found += _words(match, gap)
    return found, text[end:]


def _owning(word: Word) -> Word:
    return Word(word.text, word.shown, word.gap, word.kind, word.suffix, possessive=True)


def _words(match: regex.Match[str], gap: str) -> list[Word]:
    kind, shown = str(match.lastgroup), match[0]
    if kind == "suffix":  # of a number
        suffix = match["suffix"].replace("'", "")
        return [Word((match["number"] + suffix).casefold(), match["number"], gap, "number", suffix)]
    if kind == "word":
        return _word(shown, gap)
    return [Word(shown.casefold(), shown, gap, kind)]


def _word(shown: str, gap: str) -> list[Word]:
    folded = shown.casefold()
    if "." in shown:
        return [Word(folded.replace(".", ""), shown, gap)]
    if folded == "cannot":
        return [Word("can", shown, gap), Word("not", "not", " ")]
    head, _, tail = shown.partition("'")
    if not tail:
        return [Word(folded, shown, gap)]
    return _apostrophe(shown, head, tail, gap)


def _apostrophe(shown: str, head: str, tail: str, gap: str) -> list[Word]:
    """The words of "isn't", "Newton's", "l'Italie", "Ankara'dır" and "O'Neill"."""
    first, last = head.casefold(), tail.casefold()
    if last == "t" and first.endswith("n"):
        verb = first.removesuffix("n")
        return [Word(_CONTRACTED.get(first, verb), head, gap), Word("not", "not", " ")]
    if last == "s":
        return [Word(first, head, gap, possessive=True)]
    if last in _ENDINGS:
        return [Word(first, head, gap)]
    if first in _ELIDED:
        return [Word(first, head, gap), *_word(tail, " ")]
    if head[:1].isupper() and len(head) > 1 and _TURKISH.fullmatch(last):
        return [Word(first, head, gap)]
    return [Word(shown.casefold().replace("'", ""), shown, gap)]


def kind_of(word: Word) -> str:
    """What it can be a rival of: a value of one type, a name, or a common word."""
    if word.value is not None:
        unit = word.value.unit.dimension if isinstance(word.value, Quantity) else ""
        return f"{type(word.value).__name__} {unit}"
    return "name" if word.capital else word.kind
