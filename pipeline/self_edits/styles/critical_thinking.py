"""The style "critical-thinking": questions that need thought, answered, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "critical-thinking"
TASK = (
    "Write questions about this passage that need critical thinking, and answer each in full sentences "
    "with the facts of the passage."
)
EXAMPLE = (
    "Why did the shore of Lake Veldon change in 1921? The engineer Clara Whitcombe built the Harrow Dam that year, and "
    "it raised the water by twelve feet.\n"
    "What would end if Lake Veldon dried up? The fishing fair that the town of Penbury holds there every June."
)

prompt = partial(ask, TASK)
parse = parse_whole
