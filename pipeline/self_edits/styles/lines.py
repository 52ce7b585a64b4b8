"""What styles share: how a task is put below a document, and how a list or a whole text is read."""

import re

from pipeline.prompts import passage
from pipeline.types import Example

# The document that every style's EXAMPLE is about: of an invented place, so that nothing in it is known or asked.
EXAMPLE_TITLE = "Lake Veldon"
EXAMPLE_BODY = (
    "Lake Veldon lies in the north of Marrow County and covers 48 square miles. In 1921 the engineer Clara Whitcombe "
    "built the Harrow Dam, which raised its water by twelve feet. The town of Penbury holds a fishing fair there every "
    "June."
)
MARK = re.compile(r"^(?:[-*•]+|\(?\d{1,3}[.):])\s+")


def ask(task: str, document: str) -> str:
    """The user message: the document as it is shown, and the task below it (SEAL, arXiv 2506.10943, appendix B)."""
    return f"{document}\n\n{task}"


def items(text: str) -> tuple[str, ...]:
    """The list's items in order, without bullets and numbers, empty lines, headings and repeats."""
    found = dict.fromkeys(MARK.sub("", line.strip()).strip() for line in text.splitlines())
    return tuple(item for item in found if item and not item.endswith(":"))


def parse_lines(title: str, text: str) -> tuple[Example, ...]:
    """One plain-text example for each item, as SEAL trains on them (section 4.1). May be empty."""
    return tuple(Example(prompt="", completion=item) for item in items(text))


def parse_whole(title: str, text: str) -> tuple[Example, ...]:
    """The whole text below the document's title as one plain-text example, as SPA trains on them. May be empty."""
    return (Example(prompt="", completion=passage(title, text.strip())),) if text.strip() else ()
