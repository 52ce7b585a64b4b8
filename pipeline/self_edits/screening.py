"""Chooses what is kept of one document's self-edits: well written, asking no held-out question, nothing twice. Pure.

What is dropped is dropped with a reason in words.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pipeline.documents import repeats, words
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.instructions import told_beyond
from pipeline.leakage import TrainingGuard, leaked
from pipeline.prompts import passage
from pipeline.types import Document, Dropped, Example, SelfEdit, Written

LEAKED = "example: it asks a test question, or a validation question that chooses"
REPEATED = "example: another self-edit of the document has it"
_MIN_WORDS_TO_REPEAT = 12
# A self-edit may say a document several ways, but not at many times its length; short documents may be explained.
_MAX_LENGTH_RATIO = 4
_MIN_LENGTH_LIMIT = 200
_STEM = 5  # letters; models paraphrase, so the beginnings of words are compared
_SHORTEST_CONTENT_WORD = 4
# Shorter lines of an instruction ("Answer:") may well stand in a good self-edit.
_MIN_INSTRUCTION_WORDS = 5
_NUMBER_COMMAS = re.compile(r"(?<=\d),(?=\d{3})")


def select(
    document: Document, edits: Sequence[SelfEdit], guard: TrainingGuard, besides: Sequence[SelfEdit] = ()
) -> Written:
    """The usable examples of `edits` about `document`, in their order, and what was dropped, counted by reason.

    No example asks what `guard` holds out, or repeats one of `besides`. The document's own text is not screened.
    """
    reasons: Counter[tuple[str, str]] = Counter()
    seen = {example.id for edit in besides for example in edit.examples}
    kept: list[SelfEdit] = []
    for edit in edits:
        screened = screen(document, edit) if edit.prompt else Screened(edit, ())
        fresh, further = _without(screened.edit, seen, guard)
        reasons.update((edit.style, reason) for reason in (*screened.reasons, *further))
        if fresh is not None:
            seen.update(example.id for example in fresh.examples)
            kept.append(fresh)
    dropped = tuple(
        Dropped(document=document.id, style=style, reason=reason, count=count)
        for (style, reason), count in sorted(reasons.items())
    )
    return Written(edits=tuple(kept), dropped=dropped)


def without_faults(written: Written, fault: Callable[[SelfEdit, Example], str]) -> Written:
    """What was written without the examples that have a `fault`, which is a reason in words or empty.

    A self-edit without examples stays only if it chose settings.
    """
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    for edit in written.edits:
        faults = [fault(edit, example) for example in edit.examples]
        kept = tuple(example for example, found in zip(edit.examples, faults, strict=True) if not found)
        dropped += [
            Dropped(document=edit.document, style=edit.style, reason=reason, count=faults.count(reason))
            for reason in sorted(set(faults) - {""})
        ]
        if kept or edit.directives:
            edits.append(replace(edit, examples=kept))
    return Written(edits=tuple(edits), dropped=(*written.dropped, *dropped))


def is_question(edit: SelfEdit, example: Example) -> bool:
    """Whether a model wrote it, as a question: no statement, and not the document's own text."""
    return bool(edit.prompt and example.prompt)


def is_statement(edit: SelfEdit, example: Example) -> bool:
    """Whether a model wrote it, as a line that asks nothing."""
    return bool(edit.prompt) and not example.prompt and "\n" not in example.completion


def _without(edit: SelfEdit | None, seen: set[str], guard: TrainingGuard) -> tuple[SelfEdit | None, list[str]]:
    """The edit without held-out questions and what was `seen`, with reasons; None if nothing is left."""
    if edit is None:
        return None, []
    distinct = {example.id: example for example in edit.examples}
    unasked = [example for example in distinct.values() if leaked(example, guard.questions) is None]
    fresh = tuple(example for example in unasked if example.id not in seen)
    repeats = len(edit.examples) - len(distinct) + len(unasked) - len(fresh)
    reasons = [LEAKED] * (len(distinct) - len(unasked)) + [REPEATED] * repeats
    return (replace(edit, examples=fresh) if fresh or edit.directives else None), reasons


@dataclass(frozen=True)
class Screened:
    """The self-edit with its usable examples (None where nothing is left), and a reason for each thing dropped."""

    edit: SelfEdit | None
    reasons: tuple[str, ...]


def screen(document: Document, edit: SelfEdit) -> Screened:
    """`edit` without examples that are empty, broken, looping, copied from the prompt, or not about `document`."""
    if reason := _fault(edit, document):
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
    """What an example is compared with: the document as it stands, its normal text, words and stems, and the
    instruction's lines."""

    source: str
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
        task = [" ".join(line) for line in asked if len(line) >= _MIN_INSTRUCTION_WORDS and " ".join(line) not in own]
        stems = frozenset(word[:_STEM] for word in found)
        # A chunk's first and last lines may be parts of the document's lines, and are its words all the same.
        whole = " ".join(found)
        lines = tuple(line for line in task if line not in whole)
        return cls(text, whole, frozenset(found), stems, lines, _limit(document))


def _limit(document: Document) -> int:
    return max(_MIN_LENGTH_LIMIT, _MAX_LENGTH_RATIO * len(words(document.body)))


def _fault(edit: SelfEdit, document: Document) -> str | None:
    if not edit.text.strip():
        return "self-edit: empty"
    if len(words(edit.text)) > _limit(document):
        return f"self-edit: longer than {_limit(document)} words"
    if _repeats(_normal(edit.text)) > SANDBOX_FITTED.max_repeats:
        return "self-edit: says the same over and over"
    if not edit.examples and edit.directives is None:
        return "self-edit: nothing in it has the form that its style asks for"
    return None


def _example_fault(example: Example, known: _Known) -> str | None:
    said = _normal(example.completion)
    text = f"{example.prompt}\n{example.completion}"
    if not said:
        return "empty"
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "broken characters"
    if told_beyond(text, known.source):
        return "tells a language model what to do"
    if len(said) > known.max_words:
        return f"longer than {known.max_words} words"
    if _repeats(said) > SANDBOX_FITTED.max_example_repeats:
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
    if named and named_share < SANDBOX_FITTED.min_named:
        return "most of its names and numbers are not in the document"
    # An answer like "yes" has no content of its own: then the question must be about the document.
    content = _content(said) or _content(_normal(example.prompt))
    stems = [word[:_STEM] for word in content]
    if named_share < 1 and stems and _share(stems, known.stems) < SANDBOX_FITTED.min_grounded:
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
    """The share of runs of four words that stood there before; in a short text none counts."""
    return repeats(said) if len(said) >= _MIN_WORDS_TO_REPEAT else 0.0
