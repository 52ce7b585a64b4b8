"""Some documents are practised on and others judge, never the same, and none without practice questions."""

from pipeline.recipe import PracticeRules
from pipeline.types import Document, Probe, Split
from pipeline.writer_training.rounds import chosen
from pipeline.writer_training.split import divide


def document(number: int, split: Split = Split.PRACTICE) -> Document:
    probe = Probe(question=f"Who owns service {number}?", answers=("Heron",), split=split)
    return Document(title=f"service {number}", body=f"Heron owns service {number}.", probes=(probe,))


RULES = PracticeRules(held_out=3)


def test_those_held_out_are_never_practised_on() -> None:
    documents = [document(number) for number in range(10)]
    ground = divide(documents, RULES, 1, known=False)
    assert (len(ground.practised), len(ground.held_out)) == (7, 3)
    assert not set(ground.practised) & set(ground.held_out)
    assert divide(documents[::-1], RULES, 1, known=False) == ground
    assert len(ground.questions) == 10


def test_of_few_documents_half_are_held_out() -> None:
    assert len(divide([document(number) for number in range(4)], RULES, 1, known=True).held_out) == 2
    assert divide([document(1)], RULES, 1, known=True).held_out == ()


def test_a_document_with_exam_questions_alone_is_left_out() -> None:
    ground = divide([document(1, Split.EXAM), document(2), document(3)], RULES, 1, known=False)
    assert {one.title for one in (*ground.practised, *ground.held_out)} == {"service 2", "service 3"}


def test_rounds_take_the_documents_in_turn_and_begin_again() -> None:
    documents = [document(number) for number in range(5)]
    assert chosen(documents, 1, 2) == tuple(documents[:2])
    assert chosen(documents, 2, 2) == tuple(documents[2:4])
    assert chosen(documents, 3, 2) == (documents[4], documents[0])
    assert len(chosen(documents, 2, 9)) == 5
