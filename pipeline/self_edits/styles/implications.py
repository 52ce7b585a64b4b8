"""The style "implications": a list of what follows from a document, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "implications"
TASK = "List the implications of this passage, one per line. Name the subject in every line."

prompt = partial(ask, TASK)
parse = parse_lines
