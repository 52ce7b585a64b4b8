"""The style "discussions": two people who talk about the document, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "discussions"
TASK = (
    "Write a discussion between two people who know this passage well. They tell each other its facts, "
    "with names, numbers and dates."
)

prompt = partial(ask, TASK)
parse = parse_whole
