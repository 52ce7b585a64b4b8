"""The style "implications-long": a long list of what follows from a document, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "implications-long"
TASK = (
    "Write a long list of implications of this passage, direct and indirect, one per line. "
    "Name the subject in every line."
)

prompt = partial(ask, TASK)
parse = parse_lines
