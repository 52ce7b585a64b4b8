"""The style "chain-of-thought": reasons about a document first, then lists its implications."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines
from pipeline.types import Example

NAME = "chain-of-thought"
HEADING = "Implications:"
TASK = (
    f'Think step by step about this passage, then write "{HEADING}" and list its implications, one per line. '
    "Name the subject in every line."
)

prompt = partial(ask, TASK)


def parse(title: str, text: str) -> tuple[Example, ...]:
    """The lines below the last heading as plain text; without a heading, all lines. May be empty."""
    return parse_lines(title, text.rpartition(HEADING)[2])
