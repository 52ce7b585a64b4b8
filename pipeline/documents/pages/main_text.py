"""Tells what a page is about from what surrounds it, as trafilatura judges it (Barbaresi 2021).

The lines stay as the page shows them: trafilatura only says which of them to keep.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby

import regex
import trafilatura

from pipeline.documents.pages.tokens import CELLS, LINES, PARAGRAPHS, SECTIONS, Close, Open, Text, Token, lines_of
from pipeline.normal_forms import normal_form

# trafilatura takes seconds for more: such a page is kept whole, but for its landmarks.
_MOST_TAGS, _MOST_DEPTH = 3_000, 40
_FEWEST_WORDS = 5
# trafilatura brings text into a normal form, for which Python takes minutes over a megabyte of marks.
_MARKS = regex.compile(r"[\p{M}\p{Cf}]{9,}")
_INLINE = frozenset({"a", "br"})
_KEPT = (SECTIONS | PARAGRAPHS | LINES | CELLS) - {"html", "body", "br"}
_HOLD_TEXT = (PARAGRAPHS | LINES | CELLS) - {"dl"}


def main_lines(tokens: Sequence[Token], lines: Sequence[str]) -> list[str]:
    """Those of a page's lines that are its main text: of its `main` if it has one, and as trafilatura judges them."""
    inner = _inside_main(tokens)
    if sum(len(one.text.split()) for one in inner if isinstance(one, Text)) >= _FEWEST_WORDS:
        tokens, lines = inner, lines_of(inner)
    if sum(isinstance(one, Open) for one in tokens) > _MOST_TAGS:
        return list(lines)
    said = trafilatura.extract(_Simplified(tokens).html, include_comments=False, include_tables=True) or ""
    keys = {_key(line) for line in said.split("\n")} - {""}
    return _of_keys(lines, keys) if keys else list(lines)


def _inside_main(tokens: Sequence[Token]) -> list[Token]:
    found: list[Token] = []
    depth = 0
    for token in tokens:
        if isinstance(token, Close) and token.name == "main":
            depth -= 1
        if depth > 0:
            found.append(token)
        if isinstance(token, Open) and token.name == "main":
            depth += 1
    return found


def _key(line: str) -> str:
    """The letters and digits, whatever their marks: trafilatura composes them."""
    return "".join(filter(str.isalnum, normal_form("NFKD", line)))


def _of_keys(lines: Sequence[str], keys: set[str]) -> list[str]:
    """The lines of these keys, or in a paragraph of such a key; signs alone belong to the line above them."""
    kept: list[str] = []
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        if blank:
            kept.append("")
            continue
        whole, above = _key("".join(paragraph)) in keys, False
        for line in paragraph:
            key = _key(line)
            above = whole or (key in keys or _all_cells(line, keys) if key else above)
            if above:
                kept.append(line)
    return kept


def _all_cells(line: str, keys: set[str]) -> bool:
    return "\t" in line and all(key in keys for cell in line.split("\t") if (key := _key(cell)))


class _Simplified:
    """A page for trafilatura: no inline tags, which would cut its sentences, and every text in a paragraph."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._parts, self._open, self._loose = ["<html><body>"], list[str](), False
        for token in tokens:
            if isinstance(token, Text):
                self._text(token)
            elif token.name in _INLINE:
                self._parts.append(_inline(token))
            elif token.name in _KEPT:
                self._block(token)
        self._end_loose()
        self.html = "".join([*self._parts, "</body></html>"])

    def _text(self, token: Text) -> None:
        if token.text.strip() and not self._loose and not (self._open and self._open[-1] in _HOLD_TEXT):
            self._parts.append("<p>")
            self._loose = True
        text = _MARKS.sub("", " ".join(token.text.split()) if token.preformatted else token.text)
        self._parts.append(escape(text, quote=False))

    def _block(self, token: Open | Close) -> None:
        self._end_loose()
        if isinstance(token, Close):
            self._open.pop()
            self._parts.append(f"</{token.name}>" if len(self._open) < _MOST_DEPTH else " ")
            return
        if len(self._open) < _MOST_DEPTH:
            self._parts.append(f'<{token.name} class="{escape(token.classes)}" id="{escape(token.id)}">')
        self._open.append(token.name)

    def _end_loose(self) -> None:
        if self._loose:
            self._parts.append("</p>")
            self._loose = False


def _inline(token: Open | Close) -> str:
    if token.name == "a":
        return '<a href="#">' if isinstance(token, Open) else "</a>"
    return "<br>" if isinstance(token, Open) else ""
