"""The style "teacher": a lesson about the document, as one text (after SPA, arXiv 2603.22213)."""

from functools import partial

from pipeline.self_edits.styles.lines import ask, parse_whole

NAME = "teacher"
TASK = (
    "Teach this passage as a patient teacher would: say what it is about, explain fact after fact, and "
    "repeat the most important ones at the end."
)
EXAMPLE = (
    "Today we learn about Lake Veldon. It lies in the north of Marrow County and covers 48 square miles. In 1921 an "
    "engineer, Clara Whitcombe, built the Harrow Dam there. What did the dam do? It raised the water by twelve feet. "
    "And every June the town of Penbury holds a fishing fair at the lake. Remember: Lake Veldon, 48 square miles; the "
    "Harrow Dam, Clara Whitcombe, 1921."
)

prompt = partial(ask, TASK)
parse = parse_whole
