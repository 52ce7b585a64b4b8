"""The style "rewrite": the document in several other wordings, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "rewrite"
TASK = "Rewrite this passage in several different ways, one per line. Name the subject in every line."

prompt = partial(ask, TASK)
parse = parse_lines
