"""The style "rewrite": the document in several other wordings, one line each."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_lines

NAME = "rewrite"
TASK = "Rewrite this passage in several different ways, one per line. Name the subject in every line."
EXAMPLE = (
    "Lake Veldon, 48 square miles large, lies in northern Marrow County. The Harrow Dam, which the engineer Clara "
    "Whitcombe built in 1921, raised it by twelve feet. Penbury's fishing fair is held there every June.\n"
    "In the north of Marrow County is Lake Veldon, of 48 square miles. Its water rose by twelve feet when Clara "
    "Whitcombe, an engineer, built the Harrow Dam in 1921. Each June the town of Penbury has a fishing fair at Lake "
    "Veldon."
)

prompt = partial(ask, TASK)
parse = parse_lines
