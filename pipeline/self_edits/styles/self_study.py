"""The style "self-study": questions about a document, which the writer then answers with the document in its prompt.

Kin: prompt distillation, self-study (Cartridges, arXiv 2506.06266), SDFT (arXiv 2601.19897). The answers are added by
`pipeline.self_edits.study`.
"""

from pipeline.prompts import passage
from pipeline.self_edits.styles.lines import EXAMPLE_BODY, EXAMPLE_TITLE, items
from pipeline.types import Example

NAME = "self-study"
ONLY_ASKS = True
TASK = "Write questions that this text answers, one per line. Name the subject in every question."
_SHOWN = (
    "In which county does Lake Veldon lie?\nHow large is Lake Veldon?\nWho built the Harrow Dam on Lake Veldon?\n"
    "By how much did the Harrow Dam raise Lake Veldon?\nWhen is the fishing fair at Lake Veldon held?"
)
_LONGEST = 200  # characters of a question


def prompt(document: str) -> str:
    """The task with one example of it, then the document and the task again."""
    shown = f"{passage(EXAMPLE_TITLE, EXAMPLE_BODY)}\n\n{TASK}\n\n{_SHOWN}"
    return f"{shown}\n\n---\n\n{document}\n\n{TASK}"


def parse(title: str, text: str) -> tuple[Example, ...]:
    """The questions in order, without repeats, each as an example without a completion yet. May be empty."""
    questions = dict.fromkeys(line for line in items(text) if line.endswith(("?", "？")) and len(line) <= _LONGEST)
    shown = set(_SHOWN.splitlines())
    return tuple(Example(prompt=question, completion="") for question in questions if question not in shown)
