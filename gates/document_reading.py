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
    prompts = [
        (one, text)
        for one, text in _prompts(engine, document, asked, tokens, frame)
        if _left_by(engine, text, tokens) >= 0  # joined to its fence, a piece may have a token more
    ]
    if not prompts:
        return []
    said = engine.generate([text for _, text in prompts], SamplingParams(max_new_tokens=tokens), adapter=adapter)
    return [(one, answer) for (one, _), (answer,) in zip(prompts, said, strict=True)]


def _prompts(
    engine: Engine, document: Document, asked: Sequence[KnownAnswer], tokens: int, frame: str
) -> list[tuple[KnownAnswer, str]]:
    """Each question that leaves room, below a piece of the document."""
    rooms = [(one, _left_by(engine, _prompt(document, "", one, frame), tokens)) for one in asked]
    fitting = [(one, room) for one, room in rooms if room >= _LEAST_ROOM]
    pieces = chunks(document, engine.token_count, min(room for _, room in fitting)) if fitting else ()
    return [(one, _prompt(document, _piece(pieces, one), one, frame)) for one, _ in fitting if pieces]


def _prompt(document: Document, piece: str, asked: KnownAnswer, frame: str) -> str:
    """The fence is as long as the whole body needs it, around an empty piece too."""
    return open_book(document.title, piece, asked.item.question, frame, whole=document.body)


def _left_by(engine: Engine, prompt: str, tokens: int) -> int:
    """The tokens that the context has left beside a prompt and its answer."""
    return engine.context - template_tokens(engine) - tokens - engine.token_count(prompt)


def _piece(pieces: Sequence[str], asked: KnownAnswer) -> str:
    """The first piece with all words of the subject, else the first."""
    return next((piece for piece in pieces if names(piece, asked)), pieces[0])
