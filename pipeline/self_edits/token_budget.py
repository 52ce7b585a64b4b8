"""How much of a document fits into a prompt beside a style's instruction and a note. Knows no document's text."""

from pipeline.engines.engine import Engine
from pipeline.engines.limits import template_tokens
from pipeline.self_edits.style import Style

# Notes on more than this at once are thin, and longer sequences are costly to train on; SEAL's are at most this long.
_MAX_CHUNK = 2048
MIN_CHUNK = 16


def room_for_body(engine: Engine, style: Style, title: str, max_new_tokens: int) -> int:
    """Tokens that are left for a document's body; a note may claim half of the context, and no more.

    Below `MIN_CHUNK` there is no use in asking.
    """
    claimed = min(max_new_tokens, engine.context // 2)
    return min(_left_by(engine, style.prompt(title, "")) - claimed, _MAX_CHUNK)


def room_for_note(engine: Engine, prompt: str, max_new_tokens: int) -> int:
    """Tokens that a note may have: fewer than `max_new_tokens` where the context ends before."""
    return min(max_new_tokens, _left_by(engine, prompt))


def _left_by(engine: Engine, prompt: str) -> int:
    return engine.context - engine.token_count(prompt) - template_tokens(engine)
