"""Asks a model questions with a document before it: with the piece of it that names what is asked about.

What it answers is what the document says to it; nothing here judges it.
"""

from collections.abc import Sequence
from pathlib import Path

from gates.known_answers import KnownAnswer, names
from pipeline.documents import chunks
from pipeline.engines import Engine, SamplingParams, template_tokens
from pipeline.prompts import open_book
from pipeline.types import Document

_LEAST_ROOM = 16  # tokens of a document below which there is no use in asking


def answers_in(
    engine: Engine, document: Document, asked: Sequence[KnownAnswer], *, adapter: Path | None, tokens: int, frame: str
) -> list[tuple[KnownAnswer, str]]:
    """The model's greedy answers of at most `tokens` tokens; what leaves no room for the document is not asked.

    frame: how the document is shown, the recipe's `document_prompt`.
    """
    empty = (open_book(document.title, "", one.item.question, frame) for one in asked)
    longest = max(map(engine.token_count, empty), default=0)
    room = engine.context - template_tokens(engine) - tokens - longest
    pieces = chunks(document, engine.token_count, room) if room >= _LEAST_ROOM else ()
    if not pieces or not asked:
        return []
    prompts = [open_book(document.title, _piece(pieces, one), one.item.question, frame) for one in asked]
    texts = engine.generate(prompts, SamplingParams(max_new_tokens=tokens), adapter=adapter)
    return [(one, text) for one, (text,) in zip(asked, texts, strict=True)]


def _piece(pieces: Sequence[str], asked: KnownAnswer) -> str:
    """The first piece with all words of the subject, else the first."""
    return next((piece for piece in pieces if names(piece, asked)), pieces[0])
