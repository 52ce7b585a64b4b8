"""Reads the table of languages: the words by which an answer is denied, doubted or set beside another.

The table is `languages.toml`, one section a language. Knows no reply.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import regex

from pipeline.grading.tokens import Word, tokens


class Sense(StrEnum):
    """What a phrase does to an answer beside it; the keys of the table.

    `negations` deny what stands after them in their clause, or the subject before them. `asides` deny only what follows
    ("rather than X"), `comparisons` a value directly behind them ("more than 80"). `denials` deny the rest of their
    sentence ("it is not true that"); `wrong` denies its clause ("X is wrong"). `hedges` make their clause uncertain,
    `doubts` the rest of the reply. `conditions` open what is only supposed. `alternatives` and `conjunctions` join
    values. `breaks` begin a clause. `narrowings` begin one that says more exactly what the clause before said.
    `retractions` take back what was said. `neutral` phrases hold a word of another sense and do not mean it.
    """

    NEGATION = "negations"
    ASIDE = "asides"
    COMPARISON = "comparisons"
    DENIAL = "denials"
    WRONG = "wrong"
    HEDGE = "hedges"
    DOUBT = "doubts"
    CONDITION = "conditions"
    ALTERNATIVE = "alternatives"
    CONJUNCTION = "conjunctions"
    BREAK = "breaks"
    NARROWING = "narrowings"
    RETRACTION = "retractions"
    NEUTRAL = "neutral"


_ORDER = tuple(reversed(Sense))  # of equally long phrases the first counts


@dataclass(frozen=True)
class Language:
    """One language. `common`: frequent words, by which it is recognised; `phrases`: what each phrase does.

    `months`: the month of each name; `number_words`: the language's name in text2num, "" where that does not know it;
    `decimal_comma`: "3,5" is a decimal number and "3.500" is not; `longest`: words of the longest phrase.
    """

    code: str
    common: frozenset[str]
    phrases: Mapping[tuple[str, ...], Sense]
    months: Mapping[str, int]
    number_words: str
    decimal_comma: bool
    longest: int


@dataclass(frozen=True)
class Mark:
    """A phrase of the table in a text: its sense, and the places of its first word and behind its last one."""

    sense: Sense
    start: int
    end: int
    text: str


def marks(words: Sequence[Word], language: Language) -> tuple[Mark, ...]:
    """The phrases of the language in the words; the longest ones first, and none within another."""
    found, at, longest = list[Mark](), 0, language.longest
    while at < len(words):
        mark = next((one for n in range(longest, 0, -1) if (one := _mark(words, at, n, language))), None)
        if mark:
            found.append(mark)
        at = mark.end if mark else at + 1
    return tuple(found)


def _mark(words: Sequence[Word], at: int, length: int, language: Language) -> Mark | None:
    phrase = tuple(word.text for word in words[at : at + length])
    sense = language.phrases.get(phrase) if len(phrase) == length else None
    return None if sense is None else Mark(sense, at, at + length, " ".join(phrase))


_SCRIPTS = (
    ("ja", regex.compile(r"[\p{Hiragana}\p{Katakana}]")),
    ("zh", regex.compile(r"\p{Han}")),
    ("th", regex.compile(r"\p{Thai}")),
    ("ko", regex.compile(r"\p{Hangul}")),
)


def language_of(words: Sequence[Word], fallback: Language, lead: int = 1) -> Language:
    """The language most of whose frequent words and phrases stand in the text; the fallback where none leads by `lead`.

    Scripts of characters tell it by themselves, where they make up half of the text.
    """
    characters = "".join(word.text for word in words if word.kind == "character")
    if 2 * len(characters) >= len(words) > 0:
        kana = "".join(word.text for word in words)
        return next((LANGUAGES[code] for code, script in _SCRIPTS if script.search(kana)), fallback)
    counts = {code: sum(word.text in one.common for word in words) for code, one in LANGUAGES.items()}
    best = max(counts.values())
    if best < counts[fallback.code] + lead:
        return fallback
    return next(LANGUAGES[code] for code, count in counts.items() if count == best)


def _read(path: Path) -> dict[str, Language]:
    return {code: _language(code, row) for code, row in tomllib.loads(path.read_text(encoding="utf-8")).items()}


def _language(code: str, row: Mapping[str, list[str]]) -> Language:
    phrases = {_phrase(text): sense for sense in _ORDER for text in row.get(sense, ())}
    phrases.pop((), None)
    single = {phrase[0] for phrase in phrases if len(phrase) == 1}
    return Language(
        code=code,
        common=frozenset(row.get("common", ())) | single,
        phrases=phrases,
        months={name: number for number, name in enumerate(row.get("months", ()), 1)},
        number_words=str(row.get("number_words", "")),
        decimal_comma=bool(row.get("decimal_comma", False)),
        longest=max(map(len, phrases)),
    )


def _phrase(text: str) -> tuple[str, ...]:
    return tuple(word.text for word in tokens(text)[0])


LANGUAGES = _read(Path(__file__).with_name("languages.toml"))
ENGLISH = LANGUAGES["en"]
