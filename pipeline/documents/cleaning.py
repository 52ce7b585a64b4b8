"""Makes text uniform: NFC, line feeds, no control characters, no lost paragraphs. Judges nothing, and knows no format.

Words that look like a model's control tokens are left as they are: `pipeline.chat` encodes them as plain text."""

import re

from pipeline.normal_forms import normal_form

_LINE_ENDS = re.compile("\r\n|[\r\v\x85\u2028]")
_PARAGRAPH_ENDS = re.compile("[\f\u2029]")
# Controls but tab and line feed; then format characters that hide or reorder text: soft hyphen, zero-width space,
# word joiner, byte order mark, bidi overrides, tag characters. Joiners stay: scripts need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_GAPS = re.compile(r"\n{3,}")


def clean_text(text: str) -> str:
    """`text` in NFC with line feeds, plain spaces and at most one empty line in a row; indents and tabs stay."""
    text = _PARAGRAPH_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text))
    # Dropping an invisible character can bring a letter and its accent together, so NFC comes after it.
    text = _SPACES.sub(" ", normal_form("NFC", _INVISIBLE.sub("", text)))
    # Line by line: a pattern would be quadratic in the length of a row of blanks.
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _GAPS.sub("\n\n", text).strip()


def clean_line(text: str) -> str:
    """`text` cleaned and on one line: titles, questions and answers."""
    return " ".join(clean_text(text).split())


def plain_name(name: str) -> str:
    """A file's name that prints on one line and encodes as UTF-8, whatever its bytes were."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in name)
