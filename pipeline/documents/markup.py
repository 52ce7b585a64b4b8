"""Reads an HTML page as its title and the text a reader sees, paragraph by paragraph. Runs and fetches nothing."""

import re
import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, PageElement, Tag
from bs4.exceptions import ParserRejectedMarkup

from pipeline.errors import BadDocument

_UNSEEN = {"script", "style", "noscript", "template", "head", "title", "svg", "iframe", "object", "canvas"}
_PARAGRAPHS = {
    "p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "blockquote", "pre", "figure",
    "figcaption", "ul", "ol", "dl", "table", "form", "hr", "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_LINES = {"li", "tr", "dt", "dd", "br", "option", "caption"}
_CELLS = {"td", "th"}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read_html(text: str) -> tuple[str, str]:
    """The title (of `title`, else of the first `h1`, else "") and the visible text. Raises BadDocument."""
    soup = _parse(text)
    heading = soup.find("title") or soup.find("h1")
    return heading.get_text(" ") if heading else "", _visible_text(soup)


def _parse(text: str) -> BeautifulSoup:
    with warnings.catch_warnings():
        # Text that looks like an address or like XML is what the file's name says it is: a page.
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        try:
            # lxml, since html.parser takes hours over a megabyte of unclosed comments.
            return BeautifulSoup(text, "lxml")
        except ParserRejectedMarkup as error:
            raise BadDocument("broken HTML: the parser cannot make anything of it") from error


def _visible_text(soup: BeautifulSoup) -> str:
    """The text with the line breaks a browser would show; walks without recursion, since pages may nest without end."""
    parts: list[str] = []
    waiting: list[tuple[PageElement | str, bool]] = [(soup, False)]
    while waiting:
        node, kept = waiting.pop()
        if isinstance(node, Tag):
            before, after = _gaps(node)
            inner = kept or node.name == "pre"
            if not _is_unseen(node):
                waiting.append((after, True))
                waiting.extend((child, inner) for child in reversed(node.contents))
                waiting.append((before, True))
        # Comments and the like are subclasses of NavigableString, and not for readers.
        elif kept and type(node) in (str, NavigableString):
            parts.append(str(node))
        elif type(node) is NavigableString:
            parts.append(_flowing(str(node), at_line_start=not parts or parts[-1].endswith("\n")))
        if parts and not parts[-1]:
            parts.pop()
    return "".join(parts)


def _is_unseen(tag: Tag) -> bool:
    return tag.name in _UNSEEN or tag.has_attr("hidden") or bool(_HIDDEN_STYLE.search(str(tag.get("style", ""))))


def _gaps(tag: Tag) -> tuple[str, str]:
    if tag.name in _PARAGRAPHS:
        return "\n\n", "\n\n"
    return ("\n" if tag.name in _LINES else ""), ("\t" if tag.name in _CELLS else "")


def _flowing(text: str, at_line_start: bool) -> str:
    """Source line breaks are blanks outside `pre`, and blanks at the start of a line are nothing."""
    text = re.sub(r"\s+", " ", text)
    return text.lstrip() if at_line_start else text
