"""The style "mind-map": the document as an indented outline, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "mind-map"
TASK = (
    "Draw this passage as a mind map in plain text: its subject first, then indented lines for its parts, "
    "and below each the facts that belong there."
)

prompt = partial(ask, TASK)
parse = parse_whole
