"""The tool "expand": further questions from what was written, by gaps in its statements.

Question expansion as test-time training with self-edits asks for it (SEAL, arXiv 2506.10943, section 3.2), by rule: a
statement without one of its names or numbers is a question, and what is missing is its answer (cloze, Taylor 1953).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.types import Document, Example

NAME = "expand"
GAPS = 3  # for each statement
GAP = "___"
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_SHORTEST = 4


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """Gap questions for each statement of one line, and each question below the document's title, as SEAL asks it."""
    made: list[Example] = []
    for example in examples:
        if example.prompt and document.title and "\n" not in example.prompt:
            made.append(replace(example, prompt=f"{document.title}\n{example.prompt}"))
        elif not example.prompt and "\n" not in example.completion:
            made += _gaps(example)
    return tuple(made)


def _gaps(example: Example) -> Iterator[Example]:
    """The statement without one of its names, numbers or last word: never without its first, which is its subject."""
    text = example.completion
    words = list(_WORD.finditer(text))
    if len(words) < _SHORTEST:
        return
    last = words[-1]
    telling = [word for word in words[1:] if word is last or word[0][0].isupper() or word[0][0].isdigit()]
    for word in telling[-GAPS:]:
        gapped = f"{text[: word.start()]}{GAP}{text[word.end() :]}"
        yield replace(example, prompt=f"Fill the gap: {gapped}", completion=word[0])
