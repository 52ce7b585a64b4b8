"""The tool "leave-one-out": each demonstration is asked for with the others in the prompt, and alone.

Test-time training's tasks (Akyürek et al. 2024, arXiv 2411.07279), which SEAL's few-shot experiments build on (arXiv
2506.10943, section 3.2).
"""

from collections.abc import Sequence

from pipeline.documents.demonstrations import demonstrations
from pipeline.prompts import open_book, workflow_question
from pipeline.types import Document, Example

NAME = "leave-one-out"


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """Two examples for each demonstration of the document; none where it shows fewer than two."""
    shown = demonstrations(document.body)
    if len(shown) < 2:
        return ()
    made: list[Example] = []
    for left_out in shown:
        question = workflow_question(document.title, left_out.given)
        others = "\n".join(one.line for one in shown if one != left_out)
        made.append(Example(prompt=open_book(document.title, others, question), completion=left_out.made))
        made.append(Example(prompt=question, completion=left_out.made))
    return tuple(made)
