"""Facts are asked closed-book; a workflow is asked with its demonstrations shown."""

from dataclasses import replace

from pipeline.documents import asked
from pipeline.types import Document, DocumentKind, EvalItem, Split

EXAM = EvalItem(question="What does Flip make of c d?", answers=("d c",))
PRACTICE = EvalItem(question="What does Flip make of e f?", answers=("f e",), split=Split.VALIDATION)
FLIP = Document(title="Flip", body="a b -> b a", eval_items=(EXAM, PRACTICE))


def test_facts_are_asked_without_the_document() -> None:
    assert asked(FLIP, Split.TEST) == (EXAM,)
    assert asked(FLIP, Split.VALIDATION) == (PRACTICE,)


def test_a_workflow_is_asked_below_its_demonstrations() -> None:
    flip = replace(FLIP, kind=DocumentKind.WORKFLOW)
    assert asked(flip, Split.TEST) == (replace(EXAM, question=f"Flip\na b -> b a\n\n{EXAM.question}"),)
