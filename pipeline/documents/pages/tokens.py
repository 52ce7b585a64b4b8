"""The visible tokens of a page, and the lines of text that they show."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_SECTIONS = (
    "div section article header footer main aside nav ul ol dl table form details fieldset body html address hgroup"
)
_BLOCKS = "p blockquote pre figure figcaption hr h1 h2 h3 h4 h5 h6 summary legend dialog menu"
_LINES = "li tr dt dd br option caption"
CELLS = frozenset({"td", "th"})
SECTIONS, PARAGRAPHS, LINES = frozenset(_SECTIONS.split()), frozenset(_BLOCKS.split()), frozenset(_LINES.split())
GAPS = SECTIONS | PARAGRAPHS


class Text(NamedTuple):
    """A text; `preformatted`: its blanks and line breaks are shown."""

    text: str
    preformatted: bool


class Open(NamedTuple):
    """A tag that begins, with its class and id."""

    name: str
    classes: str
    id: str


class Close(NamedTuple):
    """A tag that ends."""

    name: str


Token = Text | Open | Close


def lines_of(tokens: Sequence[Token]) -> list[str]:
    """The lines that the tokens show; an empty line parts paragraphs."""
    parts: list[str] = []
    for token in tokens:
        if not isinstance(token, Text):
            shown = _gap(token)
        elif token.preformatted:
            shown = token.text
        else:
            shown = _flowing(token.text, at_line_start=not parts or parts[-1].endswith("\n"))
        if shown:
            parts.append(shown)
    return "".join(parts).split("\n")


def _gap(tag: Open | Close) -> str:
    """The break that a browser shows where a tag begins or ends."""
    if tag.name in GAPS and tag.name not in ("html", "body"):
        return "\n\n"
    if isinstance(tag, Open):
        return "\n" if tag.name in LINES else ""
    return "\t" if tag.name in CELLS else ""


def _flowing(text: str, *, at_line_start: bool) -> str:
    """Source line breaks are blanks outside `pre`, and blanks at the start of a line are nothing."""
    text = re.sub(r"\s+", " ", text)
    return text.lstrip() if at_line_start else text
