"""The style "case-studies": situations in which its facts matter, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "case-studies"
TASK = (
    "Describe short cases in which what this passage says matters, and in each say which facts of the "
    "passage decide it."
)

prompt = partial(ask, TASK)
parse = parse_whole
