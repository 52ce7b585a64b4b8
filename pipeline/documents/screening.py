"""Says why bytes or a document are refused, as a sentence for the operator. Changes nothing, and knows no format."""

import re
import unicodedata
from collections.abc import Sequence

import regex

from pipeline.normal_forms import UNSPACED
from pipeline.prompts import fence, passage
from pipeline.recipe import DocumentRules
from pipeline.types import Document, DocumentKind

# A character of a script without spaces counts as a word. Vowel signs, which are marks, and joiners go on with a word.
_LETTER = rf"[\p{{L}}\p{{N}}_]--[{UNSPACED}]"
_WORD = regex.compile(
    rf"[{UNSPACED}]|[{_LETTER}][[\p{{L}}\p{{N}}\p{{M}}_\u200c\u200d]--[{UNSPACED}]]*+", regex.VERSION1
)
# The look-behind lets a match begin only at a run's first character: else long runs would take quadratic time.
_RUN = re.compile(rf"(?<![^\s{UNSPACED}])[^\s{UNSPACED}]{{200,}}")

# Prose has about 95 % letters, record tables above 50 %; rulers, ASCII art and dumps fall below a quarter.
_MIN_READABLE_SHARE = 0.25
# No language's words reach 200 characters; addresses may, but they do not make up half of a document.
_MAX_RUN_SHARE = 0.5

# What a loop says was said before; prose repeats under a tenth of its runs of four words, and tables a part.
_RUN_OF_WORDS = 4
_FEWEST_WORDS = 60
_MAX_REPEATS = 0.9
# UTF-8 that was read as Windows-1252: runs of its letters and signs that are UTF-8 again.
_LATIN = re.compile(
    "[\u00a0-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{2,}"
)
_MAX_BROKEN = 0.3  # of the characters beyond ASCII
_FEWEST_BROKEN = 6  # characters; fewer are a quotation of them

# A title stands in every prompt about the document, beside its text.
_MAX_TITLE = 300
# The delimiters of the writer's prompts are longer than any row of backticks in the document.
_MAX_BACKTICKS = 100

_SIGNATURES = (
    (b"\xff\xfe", "not UTF-8: it begins with the mark of UTF-16 or UTF-32; save it as UTF-8"),
    (b"\xfe\xff", "not UTF-8: it begins with the mark of UTF-16; save it as UTF-8"),
    (b"\x00\x00\xfe\xff", "not UTF-8: it begins with the mark of UTF-32; save it as UTF-8"),
    (b"PK\x03\x04", "binary: a ZIP archive or Office document, not text"),
    (b"%PDF-", "binary: a PDF, not text; name it .pdf"),
    (b"\x89PNG", "binary: a PNG image, not text"),
    (b"\xff\xd8\xff", "binary: a JPEG image, not text"),
    (b"GIF8", "binary: a GIF image, not text"),
    (b"\x1f\x8b", "binary: a gzip archive, not text"),
    (b"BZh", "binary: a bzip2 archive, not text"),
    (b"\xfd7zXZ\x00", "binary: an xz archive, not text"),
    (b"7z\xbc\xaf\x27\x1c", "binary: a 7-Zip archive, not text"),
    (b"Rar!\x1a\x07", "binary: a RAR archive, not text"),
    (b"\x28\xb5\x2f\xfd", "binary: a Zstandard archive, not text"),
    (b"\x04\x22\x4d\x18", "binary: an LZ4 archive, not text"),
    (b"MSCF", "binary: a cabinet archive, not text"),
    (b"!<arch>\n", "binary: an archive of a linker, not text"),
    (b"\x7fELF", "binary: a program, not text"),
    (b"SQLite format 3\x00", "binary: an SQLite database, not text"),
    (b"\xd0\xcf\x11\xe0", "binary: an old Office document, not text"),
)
_TAR_AT = 257  # bytes before a tar archive's signature
EMPTY = "empty: the file holds no text"


def words(text: str) -> list[str]:
    """The words of `text`: runs of letters, marks and digits, or single characters where a script has no spaces."""
    found: list[str] = _WORD.findall(text)
    return found


def unreadable(data: bytes) -> str | None:
    """Why `data` is not UTF-8 text, or None."""
    if not data.strip():
        return EMPTY
    if reason := next((reason for signature, reason in _SIGNATURES if data.startswith(signature)), None):
        return reason
    if data[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return "binary: a tar archive, not text"
    if b"\x00" in data:
        return f"binary: a zero byte at offset {data.index(0)}"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"invalid UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}; save it as UTF-8"
    return None


def unlearnable(document: Document, rules: DocumentRules) -> str | None:
    """Why a cleaned document has nothing to learn, or None."""
    if not document.body:
        return "empty: nothing is left without markup and control characters"
    if len(document.title) > _MAX_TITLE:
        return f"the title is too long: {len(document.title):,} characters, at most {_MAX_TITLE} are taken"
    if (row := len(fence(passage(document.title, document.body))) - 1) > _MAX_BACKTICKS:
        return f"a row of {row:,} backticks: at most {_MAX_BACKTICKS} are taken; shorten it"
    if share := _run_share(document.body):
        return f"mostly non-text: {share:.0%} of it are runs of 200 or more characters without a space"
    visible = [char for char in document.body if not char.isspace()]
    share = sum(unicodedata.category(char)[0] in "LMN" for char in visible) / len(visible)
    if share < _MIN_READABLE_SHARE:
        return f"mostly non-text: {share:.0%} of its characters are letters or digits"
    if len(document.eval_items) > rules.max_questions:
        return (
            f"too many questions: {len(document.eval_items):,}, at most {rules.max_questions} are taken, so that no "
            "document decides a gate alone (advanced.documents.max_questions in the recipe)"
        )
    said = words(document.body)
    if len(said) < rules.min_words:
        return (
            f"too short: {len(said)} words, at least {rules.min_words} are needed (documents.min_words in the recipe)"
        )
    return _degenerate(document, said)


def too_large(size: int, max_bytes: int) -> str:
    """The reason for refusing `size` bytes unread."""
    return f"too large: {size:,} bytes, at most {max_bytes:,} are read (documents.max_bytes in the recipe)"


def repeats(said: Sequence[str]) -> float:
    """The share of runs of four words that stood there before."""
    runs = [tuple(said[at : at + _RUN_OF_WORDS]) for at in range(len(said) - _RUN_OF_WORDS + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _degenerate(document: Document, said: Sequence[str]) -> str | None:
    """Why a text is a loop or broken, or None. Records may repeat their words."""
    if document.kind is not DocumentKind.WORKFLOW and len(said) >= _FEWEST_WORDS:
        share = repeats([word.casefold() for word in said])
        if share > _MAX_REPEATS:
            return f"degenerate: it says the same over and over ({share:.0%} of its runs of four words)"
    if broken := _broken(document.body):
        return f"broken characters: {broken} of them; save the text as UTF-8 where it was made"
    return None


def _broken(body: str) -> int:
    """Replacement characters, and those of UTF-8 that was read as another encoding, where they are many; else 0."""
    foreign = sum(not char.isascii() for char in body)
    found = body.count("\N{REPLACEMENT CHARACTER}") + sum(map(_misread, _LATIN.findall(body)))
    return found if found >= max(_FEWEST_BROKEN, _MAX_BROKEN * foreign) else 0


def _misread(run: str) -> int:
    """How many characters of a run are UTF-8 read as Windows-1252."""
    try:
        return len(run) - len(run.encode("cp1252").decode("utf-8"))
    except UnicodeError:
        return 0


def _run_share(body: str) -> float:
    share = sum(len(run) for run in _RUN.findall(body)) / len(body)
    return share if share > _MAX_RUN_SHARE else 0.0
