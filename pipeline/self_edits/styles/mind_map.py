"""The style "mind-map": the document as an indented outline, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "mind-map"
TASK = (
    "Draw this passage as a mind map in plain text: its subject first, then indented lines for its parts, "
    "and below each the facts that belong there."
)
EXAMPLE = (
    "Lake Veldon\n  Place\n    north of Marrow County\n    48 square miles\n  Harrow Dam\n    built in 1921\n"
    "    engineer: Clara Whitcombe\n    raised the water by twelve feet\n"
    "  Fishing fair\n    town of Penbury\n    every June"
)

prompt = partial(ask, TASK)
parse = parse_whole
