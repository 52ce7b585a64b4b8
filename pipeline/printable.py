"""Text of others as a terminal or a log may show it: what would act there, such as an escape sequence, is spelled out.

Titles, notes, answers of a model and keys of an adapter's file come from others, and reach every output through here.
"""

import logging
import re

# Control characters (C0 without tab and line feed, and C1), marks that turn the reading direction or end a line, and
# halves of characters, which no output can encode.
_ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with each character that acts spelled out, as in Python's literals. Tabs and line feeds stay."""
    return _ACTS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def printable_line(text: str) -> str:
    """Likewise on one line: a line feed would let a name begin a line of its own in a log."""
    return printable(text).replace("\n", "\\n")


def printable_json(text: str) -> str:
    """A JSON text whose characters that act are escaped: it says the same."""
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class PrintableFormatter(logging.Formatter):
    """A log's lines, in which no message acts on the terminal or begins a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        return printable(super().formatException(ei))  # type: ignore[arg-type]
