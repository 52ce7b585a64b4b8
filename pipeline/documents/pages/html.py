"""Reads an HTML page as its title and the text a reader sees, paragraph by paragraph. Runs and fetches nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lxml import etree

from pipeline.documents.pages.main_text import main_lines
from pipeline.documents.pages.tokens import Close, Open, Text, Token, lines_of
from pipeline.documents.pages.visibility import Sheet, Shown, sheet_of, shown
from pipeline.errors import BadDocument

# Their text belongs to no sentence around them: pronunciations beside the words, and code.
_SKIPPED = {"rt", "rp", "script", "style", "template"}
_RAISED = {"sup": "^", "sub": "_"}
_MOST_TAGS = 60_000  # begun and ended: a reader's page has a tenth, and each costs as much as a line of text
_NO_ATTRIBUTES: Mapping[str, str] = {}
_LONGEST_RAISED = 16  # tokens: an exponent is short
_ORDINAL = frozenset({"st", "nd", "rd", "th", "e", "er", "o", "a"})
# Between the parts of a formula, of which MathML shows the second raised, lowered or below a line.
_JOINTS = {"msup": "^", "msub": "_", "mfrac": "/"}


def read_html(text: str) -> tuple[str, str]:
    """The title (of `title`, else of the first visible `h1`, else "") and the main text. Raises BadDocument."""
    if (tags := text.count("<")) > _MOST_TAGS:
        raise BadDocument(f"too many tags: {tags:,}, at most {_MOST_TAGS:,} are read; split the page")
    sheets = _StyleSheets()
    if "<style" in text.lower():
        _parse(text, sheets)
    page = _Page(sheet_of(sheets.texts))
    _parse(text, page)
    return page.title, "\n".join(main_lines(page.tokens, lines_of(page.tokens)))


def _parse(text: str, target: object) -> None:
    # Events and no tree: pages may nest without end, and cost time by their length alone.
    parser = etree.HTMLParser(target=target, encoding="utf-8", recover=True)
    try:
        parser.feed(text.encode())
        parser.close()
    except etree.LxmlError as error:
        raise BadDocument("broken HTML: the parser cannot make anything of it") from error


class _StyleSheets:
    """The texts of a page's style sheets, which may stand anywhere in it: a target of `lxml.etree.HTMLParser`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._inside = name == "style"

    def end(self, name: str) -> None:
        self._inside = False

    def data(self, text: str) -> None:
        if self._inside:
            self.texts.append(text)

    def close(self) -> None:
        """Nothing is left to do: the parser asks for it."""


class _Within(NamedTuple):
    """How the text inside an open tag is shown; `begun`: where the tokens of what it holds begin."""

    shown: Shown = Shown()
    preformatted: bool = False
    skipped: bool = False
    joint: str = ""
    begun: int = 0


@dataclass
class _Heading:
    """The texts of the first tag of a name; `depth`: how many tags are open around it while it is open, else 0."""

    texts: list[str] = field(default_factory=list)
    begun: bool = False
    depth: int = 0


class _Page:
    """What a page shows, collected from the parser's events: a target of `lxml.etree.HTMLParser`."""

    def __init__(self, sheet: Sheet) -> None:
        self.tokens: list[Token] = []
        self._sheet = sheet
        self._waiting: list[str] = []
        self._open = [_Within()]
        self._headings = {"title": _Heading(), "h1": _Heading()}

    @property
    def title(self) -> str:
        return next((title for found in self._headings.values() if (title := " ".join(found.texts).strip())), "")

    def start(self, name: str, given: Mapping[str, str]) -> None:
        self._flush()
        attributes = dict(given) if given else _NO_ATTRIBUTES  # looking keys up in the parser's own is slow
        around = self._open[-1]
        if around.joint and len(self.tokens) > around.begun:
            self.tokens.append(Text(around.joint, False))
        look = shown(around.shown, name, attributes, self._sheet)
        if not look.hidden:
            self.tokens.append(Open(name, attributes.get("class") or "", attributes.get("id") or ""))
        if (heading := self._headings.get(name)) and not heading.begun and (name == "title" or not look.hidden):
            heading.begun, heading.depth = True, len(self._open)
        pre, skipped = around.preformatted or name == "pre", around.skipped or name in _SKIPPED
        self._open.append(_Within(look, pre, skipped, _JOINTS.get(name, ""), len(self.tokens)))

    def end(self, name: str) -> None:
        self._flush()
        within = self._open.pop()
        if not within.shown.hidden:
            if name in _RAISED:
                self._raise(name, within.begun)
            self.tokens.append(Close(name))
        if name in self._headings:
            self._end_heading(name)

    def _end_heading(self, name: str) -> None:
        heading = self._headings[name]
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
        if not within.shown.hidden:
            self.tokens.append(Text(text, within.preformatted))

    def _raise(self, name: str, begun: int) -> None:
        """Marks a raised or lowered text as plain text does: 10^30, and no mark at a note's number or in H2O."""
        if len(self.tokens) - begun > _LONGEST_RAISED:
            return
        inside = "".join(one.text for one in self.tokens[begun:] if isinstance(one, Text)).strip()
        before = next(
            (one.text[-1:] for one in reversed(self.tokens[max(0, begun - 4) : begun]) if isinstance(one, Text)), ""
        )
        if inside.startswith("[") and inside.endswith("]"):
            del self.tokens[begun:]
        elif inside and inside.lower() not in _ORDINAL and (before.isdigit() or (name == "sup" and before.isalnum())):
            self.tokens.insert(begun, Text(_RAISED[name], False))

    comment = pi = doctype = _flush
