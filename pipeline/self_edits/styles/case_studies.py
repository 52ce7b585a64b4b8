"""The style "case-studies": situations in which its facts matter, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "case-studies"
TASK = (
    "Describe short cases in which what this passage says matters, and in each say which facts of the "
    "passage decide it."
)
EXAMPLE = (
    "A visitor looks for the old shore of Lake Veldon. It lies under water: in 1921 Clara Whitcombe's Harrow Dam "
    "raised the lake by twelve feet.\n"
    "An angler plans her year. The town of Penbury holds its fishing fair at Lake Veldon in June, so she keeps June "
    "free."
)

prompt = partial(ask, TASK)
parse = parse_whole
