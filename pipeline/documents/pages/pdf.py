"""Reads the text that a reader sees on the pages of a PDF. Runs, opens and fetches nothing that it holds."""

import io

from pypdf import PageObject, PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ContentStream, NameObject

from pipeline.documents.pages.drawing import Drawing
from pipeline.errors import BadDocument

_MOST_PAGES = 2_000
_MOST_OPERATORS = 200_000  # of one page; each costs some microseconds
_ENCRYPTED = "an encrypted PDF: save it without a password"
_SHOWS = frozenset({b"Tj", b"TJ", b"'", b'"'})
_NEXT_LINE = frozenset({b"'", b'"'})
# What pypdf raises where a file is broken, besides its own errors.
_FAILED = (
    PyPdfError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
    OSError,
    EOFError,
)


def read_pdf(data: bytes, most_characters: int) -> tuple[str, str]:
    """No title, since a PDF's is on no page, and the text of its pages. Raises BadDocument."""
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted:
            raise BadDocument(_ENCRYPTED)
        if len(reader.pages) > _MOST_PAGES:
            raise BadDocument(f"a PDF of {len(reader.pages):,} pages: at most {_MOST_PAGES:,} are read; split it")
        text = _text(reader, most_characters)
    except RecursionError as error:
        raise BadDocument("a broken PDF: it is nested too deeply") from error
    except _FAILED as error:
        if "ncryption" in str(error):
            raise BadDocument(_ENCRYPTED) from error
        raise BadDocument(f"a broken PDF: {type(error).__name__}: {' '.join(str(error).split())[:100]}") from error
    if not text.strip():
        raise BadDocument("a PDF without text that a reader sees: a scan must go through text recognition first")
    return "", text


def _text(reader: PdfReader, most_characters: int) -> str:
    pages: list[str] = []
    size = 0
    for page in reader.pages:
        if (contents := page.get_contents()) is None:
            continue
        page[NameObject("/Contents")] = _visible(ContentStream(contents, reader), page)
        pages.append(page.extract_text())
        size += len(pages[-1])
        if size > most_characters:
            raise BadDocument(f"a PDF of more than {most_characters:,} characters; split it")
    return "\n\n".join(pages)


def _visible(contents: ContentStream, page: PageObject) -> ContentStream:
    """The page's drawing without the texts that nobody sees: invisible, white, tiny or beside the page."""
    if len(contents.operations) > _MOST_OPERATORS:
        raise BadDocument(f"a PDF with a page of more than {_MOST_OPERATORS:,} operators; print it anew")
    box = page.cropbox
    drawing = Drawing((float(box.left), float(box.bottom), float(box.right), float(box.top)))
    outer: list[Drawing] = []
    kept = []
    for operands, operator in contents.operations:
        if operator == b"q":
            outer.append(drawing)
        elif operator == b"Q" and outer:
            drawing = outer.pop()
        elif operator in _SHOWS:
            drawing = drawing.after(b"T*", ()) if operator in _NEXT_LINE else drawing
            if drawing.hidden:
                continue
        else:
            drawing = drawing.after(operator, operands)
        kept.append((operands, operator))
    contents.operations = kept
    return contents
