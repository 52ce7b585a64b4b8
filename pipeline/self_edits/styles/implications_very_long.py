"""The style "implications-very-long": everything that follows from a document, one line each. Knows no model."""

from pipeline.prompts import passage
from pipeline.self_edits.styles.lines import plain_examples
from pipeline.types import Example

NAME = "implications-very-long"
TASK = (
    "Write a very long list of implications of this passage: each direct one in several wordings, and what follows "
    "from them, one per line. Name the subject in every line."
)


def prompt(title: str, body: str) -> str:
    """The user message that asks for this style (after SEAL, arXiv 2506.10943, appendix B)."""
    return f"{passage(title, body)}\n\n{TASK}"


def parse(title: str, text: str) -> tuple[Example, ...]:
    """One plain-text example a line, in the order written; nothing usable gives an empty tuple."""
    return plain_examples(text)
