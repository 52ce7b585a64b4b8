"""The style "implications-long": a long list of what follows from a document, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "implications-long"
TASK = (
    "Write a long list of implications of this passage, direct and indirect, one per line. "
    "Name the subject in every line."
)
EXAMPLE = (
    "Lake Veldon lies in the north of Marrow County.\n"
    "Lake Veldon covers 48 square miles.\n"
    "Clara Whitcombe was an engineer, and she built the Harrow Dam on Lake Veldon.\n"
    "The Harrow Dam on Lake Veldon dates from 1921.\n"
    "The Harrow Dam raised the water of Lake Veldon by twelve feet.\n"
    "Before 1921 Lake Veldon stood twelve feet lower.\n"
    "The fishing fair at Lake Veldon is in June, once a year.\n"
    "The town of Penbury holds the fishing fair at Lake Veldon.\n"
    "Who wants to see the fair of Penbury comes to Lake Veldon in June."
)

prompt = partial(ask, TASK)
parse = parse_lines
