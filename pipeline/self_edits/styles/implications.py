"""The style "implications": a list of what follows from a document, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "implications"
TASK = "List the implications of this passage, one per line. Name the subject in every line."
EXAMPLE = (
    "Lake Veldon lies in the north of Marrow County.\n"
    "Lake Veldon covers 48 square miles.\n"
    "Clara Whitcombe built the Harrow Dam on Lake Veldon in 1921.\n"
    "Before 1921 Lake Veldon stood twelve feet lower than after the Harrow Dam was built.\n"
    "Penbury holds its fishing fair at Lake Veldon in June, once a year."
)

prompt = partial(ask, TASK)
parse = parse_lines
