"""The style "key-concepts": the key concepts, explained, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "key-concepts"
TASK = (
    "Name the key concepts of this passage and explain each in a sentence or two, with the names, numbers "
    "and dates that belong to it."
)
EXAMPLE = (
    "Lake Veldon: a lake of 48 square miles in the north of Marrow County.\n"
    "The Harrow Dam: built on Lake Veldon in 1921 by the engineer Clara Whitcombe. It raised the water by "
    "twelve feet.\n"
    "The fishing fair: the town of Penbury holds it at Lake Veldon every June."
)

prompt = partial(ask, TASK)
parse = parse_whole
