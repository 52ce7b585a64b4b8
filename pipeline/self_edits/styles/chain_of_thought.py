"""The style "chain-of-thought": reasons about a document first, then lists its implications. Knows no model."""

from pipeline.prompts import passage
from pipeline.self_edits.styles.lines import plain_examples
from pipeline.types import Example

NAME = "chain-of-thought"
HEADING = "Implications:"
TASK = (
    f'Think step by step about this passage, then write "{HEADING}" and list its implications, one per line. '
    "Name the subject in every line."
)


def prompt(title: str, body: str) -> str:
    """The user message that asks for this style (after SEAL, arXiv 2506.10943, appendix B)."""
    return f"{passage(title, body)}\n\n{TASK}"


def parse(title: str, text: str) -> tuple[Example, ...]:
    """The lines after the last heading, as plain text; without a heading all lines are taken. May be empty."""
    return plain_examples(text.rpartition(HEADING)[2])
