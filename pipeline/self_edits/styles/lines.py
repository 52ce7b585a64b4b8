"""Reads what a model wrote as a list, one item a line. Knows no style's prompt and no document."""

import re

from pipeline.types import Example

MARK = re.compile(r"^(?:[-*•]+|\(?\d{1,3}[.):])\s+")


def items(text: str) -> tuple[str, ...]:
    """The list's items: bullets and numbers taken off, empty lines, headings and repeats left out, order kept."""
    found = dict.fromkeys(MARK.sub("", line.strip()).strip() for line in text.splitlines())
    return tuple(item for item in found if item and not item.endswith(":"))


def plain_examples(text: str) -> tuple[Example, ...]:
    """Each item as one plain-text sequence, as SEAL trains on them (arXiv 2506.10943, section 4.1)."""
    return tuple(Example(prompt="", completion=item) for item in items(text))
