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
EXAMPLE = (
    "The passage says where Lake Veldon is and how large, who raised its water and when, and what is held there.\n"
    "Implications:\n"
    "Lake Veldon covers 48 square miles in the north of Marrow County.\n"
    "Clara Whitcombe built the Harrow Dam on Lake Veldon in 1921.\n"
    "Before 1921 Lake Veldon stood twelve feet lower.\n"
    "Penbury holds a fishing fair at Lake Veldon every June."
)

prompt = partial(ask, TASK)


def parse(title: str, text: str) -> tuple[Example, ...]:
    """The lines below the last heading as plain text; without a heading, all lines. May be empty."""
    return parse_lines(title, text.rpartition(HEADING)[2])
