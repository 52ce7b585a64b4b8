"""Reads an HTML page as its title and the text a reader sees, paragraph by paragraph. Runs and fetches nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lxml import etree

from pipeline.errors import BadDocument

_HIDDEN = {"script", "style", "noscript", "template", "head", "title", "svg", "iframe", "object", "canvas"}
_SECTIONS = ("div", "section", "article", "header", "footer", "main", "aside", "nav", "ul", "ol", "dl", "table", "form")
_BLOCKS = ("p", "blockquote", "pre", "figure", "figcaption", "hr", "h1", "h2", "h3", "h4", "h5", "h6")
_PARAGRAPHS = {*_SECTIONS, *_BLOCKS}
_LINES = {"li", "tr", "dt", "dd", "br", "option", "caption"}
_CELLS = {"td", "th"}
# Their text belongs to no sentence around them: pronunciations beside the words, and code.
_SKIPPED = {"rt", "rp", "script", "style", "template"}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read_html(text: str) -> tuple[str, str]:
    """The title (of `title`, else of the first `h1`, else "") and the visible text. Raises BadDocument."""
    page = _Page()
    # Events and no tree: pages may nest without end, and cost time by their length alone.
    parser = etree.HTMLParser(target=page, encoding="utf-8", recover=True)
    try:
        parser.feed(text.encode())
        parser.close()
    except etree.LxmlError as error:
        raise BadDocument("broken HTML: the parser cannot make anything of it") from error
    return page.title, page.body


class _Open(NamedTuple):
    """How the text inside an open tag is shown."""

    preformatted: bool = False
    hidden: bool = False
    skipped: bool = False


@dataclass
class _Heading:
    """The texts of the first tag of a name; `depth`: how many tags are open around it while it is open, else 0."""

    texts: list[str] = field(default_factory=list)
    begun: bool = False
    depth: int = 0


class _Page:
    """The text that a page shows, collected from the parser's events: a target of `lxml.etree.HTMLParser`."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._waiting: list[str] = []
        self._open = [_Open()]
        self._headings = {"title": _Heading(), "h1": _Heading()}

    @property
    def title(self) -> str:
        return next((" ".join(found.texts) for found in self._headings.values() if found.begun), "")

    @property
    def body(self) -> str:
        return "".join(self._parts)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._flush()
        around = self._open[-1]
        hidden = around.hidden or _is_hidden(name, attributes)
        if not hidden:
            self._put(_gaps(name)[0])
        if (heading := self._headings.get(name)) and not heading.begun:
            heading.begun, heading.depth = True, len(self._open)
        self._open.append(_Open(around.preformatted or name == "pre", hidden, around.skipped or name in _SKIPPED))

    def end(self, name: str) -> None:
        self._flush()
        if not self._open.pop().hidden:
            self._put(_gaps(name)[1])
        for heading in self._headings.values():
            if heading.depth == len(self._open):
                heading.depth = 0

    def data(self, text: str) -> None:
        """Keeps a piece of a text, which the parser gives in several."""
        self._waiting.append(text)

    def close(self) -> None:
        self._flush()

    def _flush(self, *_: str | None) -> None:
        if not self._waiting:
            return
        text, within = "".join(self._waiting), self._open[-1]
        self._waiting.clear()
        if within.skipped:
            return
        for heading in self._headings.values():
            if heading.depth:
                heading.texts.append(text)
        if not within.hidden:
            at_line_start = not self._parts or self._parts[-1].endswith("\n")
            self._put(text if within.preformatted else _flowing(text, at_line_start))

    def _put(self, text: str) -> None:
        if text:
            self._parts.append(text)

    comment = pi = doctype = _flush


def _is_hidden(name: str, attributes: Mapping[str, str]) -> bool:
    return name in _HIDDEN or "hidden" in attributes or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))


def _gaps(name: str) -> tuple[str, str]:
    """The breaks that a browser shows before and after what stands in a tag."""
    if name in _PARAGRAPHS:
        return "\n\n", "\n\n"
    return ("\n" if name in _LINES else ""), ("\t" if name in _CELLS else "")


def _flowing(text: str, at_line_start: bool) -> str:
    """Source line breaks are blanks outside `pre`, and blanks at the start of a line are nothing."""
    text = re.sub(r"\s+", " ", text)
    return text.lstrip() if at_line_start else text
