"""Drops what a model wrote badly, note by note and example by example, and says why. Knows no model and no test."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

from pipeline.documents import words
from pipeline.prompts import passage
from pipeline.types import Document, Example, SelfEdit

# A note of many lines about one thing repeats its name in each, up to a third of its runs; a loop passes 90 %.
_MAX_NOTE_REPEATS = 0.8
_MAX_EXAMPLE_REPEATS = 0.5
_RUN = 4
_MIN_WORDS_TO_REPEAT = 12
# A note may say a document several ways, but not at many times its length; short documents get room to be explained.
_MAX_LENGTH_RATIO = 4
_MIN_LENGTH_LIMIT = 200
# Below this, most of an example is not about the document; models paraphrase, so beginnings of words are compared.
_MIN_GROUNDED_SHARE = 0.4
# Names and numbers are not paraphrased: half of them must stand in the document, and where all do, no word is asked.
_MIN_NAMED_SHARE = 0.5
_STEM = 5
_SHORTEST_CONTENT_WORD = 4
# Shorter lines of an instruction ("Answer:") may well stand in a good note.
_MIN_INSTRUCTION_WORDS = 5
_NUMBER_COMMAS = re.compile(r"(?<=\d),(?=\d{3})")


@dataclass(frozen=True)
class Screened:
    """The note with its usable examples (None where nothing is left), and one reason for each thing dropped."""

    edit: SelfEdit | None
    reasons: tuple[str, ...]


def screen(document: Document, edit: SelfEdit) -> Screened:
    """`edit` without the examples that are empty, broken, looping, copied from the prompt, or not of `document`."""
    if reason := _note_fault(edit, document):
        return Screened(None, (reason,))
    known = _Known.of(document, edit.prompt)
    faults = [(example, _example_fault(example, known)) for example in edit.examples]
    reasons = tuple(f"example: {fault}" for _, fault in faults if fault)
    kept = tuple(example for example, fault in faults if fault is None)
    if not kept and edit.directives is None:
        return Screened(None, reasons)
    return Screened(replace(edit, examples=kept), reasons)


@dataclass(frozen=True)
class _Known:
    """What an example is compared with: the document's text, words and stems, and the instruction's lines."""

    text: str
    words: frozenset[str]
    stems: frozenset[str]
    instruction: tuple[str, ...]
    max_words: int

    @classmethod
    def of(cls, document: Document, prompt: str) -> "_Known":
        text = passage(document.title, document.body)
        found = _normal(text)
        own = {" ".join(_normal(line)) for line in text.splitlines()}
        asked = [_normal(line) for line in prompt.splitlines()]
        told = [" ".join(line) for line in asked if len(line) >= _MIN_INSTRUCTION_WORDS and " ".join(line) not in own]
        stems = frozenset(word[:_STEM] for word in found)
        # A chunk's first and last lines may be parts of the document's lines, and are its words all the same.
        whole = " ".join(found)
        return cls(whole, frozenset(found), stems, tuple(line for line in told if line not in whole), _limit(document))


def _limit(document: Document) -> int:
    return max(_MIN_LENGTH_LIMIT, _MAX_LENGTH_RATIO * len(words(document.body)))


def _note_fault(edit: SelfEdit, document: Document) -> str | None:
    if not edit.text.strip():
        return "note: empty"
    if len(words(edit.text)) > _limit(document):
        return f"note: longer than {_limit(document)} words"
    if _repeats(_normal(edit.text)) > _MAX_NOTE_REPEATS:
        return "note: says the same over and over"
    if not edit.examples and edit.directives is None:
        return "note: nothing in it has the form that its style asks for"
    return None


def _example_fault(example: Example, known: _Known) -> str | None:
    said = _normal(example.completion)
    text = f"{example.prompt}\n{example.completion}"
    if not said:
        return "empty"
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "broken characters"
    if len(said) > known.max_words:
        return f"longer than {known.max_words} words"
    if _repeats(said) > _MAX_EXAMPLE_REPEATS:
        return "says the same over and over"
    normal = " ".join(_normal(text))
    if any(line in normal for line in known.instruction):
        return "repeats the instruction"
    return _grounding_fault(example, said, known)


def _grounding_fault(example: Example, said: list[str], known: _Known) -> str | None:
    if f" {' '.join(said)} " in f" {known.text} ":
        return None
    named = [word for word in said if _is_number(word)] + _names(example.completion)
    named_share = _share(named, known.words) if named else 0.0
    if named and named_share < _MIN_NAMED_SHARE:
        return "most of its names and numbers are not in the document"
    # An answer like "yes" has no content of its own: then the question must be about the document.
    content = _content(said) or _content(_normal(example.prompt))
    if named_share < 1 and content and _share([word[:_STEM] for word in content], known.stems) < _MIN_GROUNDED_SHARE:
        return "most of its words are not in the document"
    return None


def _normal(text: str) -> list[str]:
    """Words in lower case; a number stays one word whatever its commas."""
    return [word.casefold() for word in words(_NUMBER_COMMAS.sub("", text))]


def _content(said: list[str]) -> list[str]:
    """Words that carry meaning: long ones, numbers, and single characters of scripts without spaces."""
    return [word for word in said if len(word) >= _SHORTEST_CONTENT_WORD or _is_number(word) or not word.isascii()]


def _is_number(word: str) -> bool:
    """Numbers of one digit are left out: documents write them in words."""
    return len(word) > 1 and any(char.isdigit() for char in word)


def _names(text: str) -> list[str]:
    """Capitalised words that do not merely begin a sentence."""
    found: list[str] = []
    for line in text.splitlines():
        inner = [word for before, word in pairwise(line.split()) if before[-1] not in ".!?:"]
        found += [name.casefold() for word in inner for name in words(word) if name[0].isupper() and len(name) > 1]
    return found


def _share(found: list[str], known: frozenset[str]) -> float:
    return sum(word in known for word in found) / len(found)


def _repeats(said: list[str]) -> float:
    """The share of runs of four words that stood there before."""
    if len(said) < _MIN_WORDS_TO_REPEAT:
        return 0.0
    runs = Counter(tuple(said[at : at + _RUN]) for at in range(len(said) - _RUN + 1))
    return 1 - len(runs) / runs.total()
