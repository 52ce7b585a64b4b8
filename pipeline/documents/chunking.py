"""Cuts a document's body into pieces that fit a model's context, between paragraphs if possible. Knows no tokenizer."""

import re
from collections.abc import Callable
from itertools import pairwise

from pipeline.types import Document

# From the best place to cut to the worst: paragraphs, lines, sentences, words.
_SEAMS = tuple(re.compile(seam) for seam in (r"\n[ \t]*\n\s*", r"\n", r"[.!?][\"'”’»)\]]*\s+|[。！？]", r"\s+"))


def chunks(document: Document, count_tokens: Callable[[str], int], limit: int) -> tuple[str, ...]:
    """The body in order, in pieces of at most `limit` tokens (single characters may exceed it); nothing is lost.

    Cuts between paragraphs where they fit, else between lines, sentences, words, and at last inside a word.
    Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"a chunk needs room for at least one token, not {limit}")
    cut = _cut(document.body, lambda text: count_tokens(text.strip()) <= limit, _SEAMS)
    return tuple(stripped for text in cut if (stripped := text.strip()))


def _cut(text: str, fits: Callable[[str], bool], seams: tuple[re.Pattern[str], ...]) -> list[str]:
    """`text` in pieces that fit and join to `text` again; a part too large alone is cut at the next finer seam."""
    if len(text) <= 1 or fits(text):
        return [text]
    parts = _parts(text, seams)
    pieces: list[str] = []
    start = 0
    while start < len(parts):
        if fits(parts[start]):
            end = _last_fitting(parts, start, fits)
            pieces.append("".join(parts[start:end]))
        else:
            end = start + 1
            pieces += _cut(parts[start], fits, seams[1:])
        start = end
    return pieces


def _parts(text: str, seams: tuple[re.Pattern[str], ...]) -> list[str]:
    """`text` cut at the first seam, each part with the blanks after it; in the middle where no seam is left."""
    cuts = [match.end() for match in seams[0].finditer(text)] if seams else [len(text) // 2]
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)]) if start < end]


def _last_fitting(parts: list[str], start: int, fits: Callable[[str], bool]) -> int:
    """The end of the longest piece that begins at `start`: an exponential search, since each check tokenizes."""
    end, step, growing = start + 1, 1, True
    while step:
        if end + step <= len(parts) and fits("".join(parts[start : end + step])):
            end += step
        else:
            growing = False
        step = step * 2 if growing else step // 2
    return end
