"""The style "rewrite": the document said again in several ways, one line each. Knows no model and no template."""

from pipeline.prompts import passage
from pipeline.self_edits.styles.lines import plain_examples
from pipeline.types import Example

NAME = "rewrite"
TASK = "Rewrite this passage in several different ways, one per line. Name the subject in every line."


def prompt(title: str, body: str) -> str:
    """The user message that asks for this style (after SEAL, arXiv 2506.10943, appendix B)."""
    return f"{passage(title, body)}\n\n{TASK}"


def parse(title: str, text: str) -> tuple[Example, ...]:
    """One plain-text example a line, in the order written; nothing usable gives an empty tuple."""
    return plain_examples(text)
