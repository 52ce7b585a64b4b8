"""The style "implications-very-long": everything that follows from a document, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "implications-very-long"
TASK = (
    "Write a very long list of implications of this passage: each direct one in several wordings, and what follows "
    "from them, one per line. Name the subject in every line."
)

prompt = partial(ask, TASK)
parse = parse_lines
