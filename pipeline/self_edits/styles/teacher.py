"""The style "teacher": a lesson about the document, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "teacher"
TASK = (
    "Teach this passage as a patient teacher would: say what it is about, explain fact after fact, and "
    "repeat the most important ones at the end."
)

prompt = partial(ask, TASK)
parse = parse_whole
