"""The style "discussions": two people who talk about the document, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "discussions"
TASK = (
    "Write a discussion between two people who know this passage well. They tell each other its facts, "
    "with names, numbers and dates."
)
EXAMPLE = (
    "Ada: How large is Lake Veldon?\nBen: 48 square miles, in the north of Marrow County.\n"
    "Ada: And the dam?\nBen: The Harrow Dam. Clara Whitcombe, an engineer, built it in 1921, and the water rose by "
    "twelve feet.\n"
    "Ada: When is Penbury's fishing fair?\nBen: Every June."
)

prompt = partial(ask, TASK)
parse = parse_whole
