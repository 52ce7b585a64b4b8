"""Says why bytes or a document are refused, as a sentence for the operator. Changes nothing, and knows no format."""

import re
import unicodedata

from pipeline.normal_forms import UNSPACED
from pipeline.recipe import DocumentRules
from pipeline.types import Document

# A character of a script without spaces counts as a word.
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
# The look-behind lets a match begin only at a run's first character: else long runs would take quadratic time.
_RUN = re.compile(rf"(?<![^\s{UNSPACED}])[^\s{UNSPACED}]{{200,}}")

# Prose has about 95 % letters, record tables above 50 %; rulers, ASCII art and dumps fall below a quarter.
_MIN_READABLE_SHARE = 0.25
# No language's words reach 200 characters; addresses may, but they do not make up half of a document.
_MAX_RUN_SHARE = 0.5

# A title stands in every prompt about the document, beside its text.
_MAX_TITLE = 300

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
    """The words of `text`: runs of letters and digits, or single characters where a script has no spaces."""
    return _WORD.findall(text)


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
    count = len(words(document.body))
    if count < rules.min_words:
        return f"too short: {count} words, at least {rules.min_words} are needed (documents.min_words in the recipe)"
    return None


def too_large(size: int, max_bytes: int) -> str:
    """The reason for refusing `size` bytes unread."""
    return f"too large: {size:,} bytes, at most {max_bytes:,} are read (documents.max_bytes in the recipe)"


def _run_share(body: str) -> float:
    share = sum(len(run) for run in _RUN.findall(body)) / len(body)
    return share if share > _MAX_RUN_SHARE else 0.0
