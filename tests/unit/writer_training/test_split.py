"""Some documents are trained on and others judge, never the same, and none without validation questions."""

from pipeline.recipe import WriterTrainingRules
from pipeline.types import Document, EvalItem, Split
from pipeline.writer_training.outer_loop import divide, documents_of_round, documents_of_rounds


def document(number: int, split: Split = Split.VALIDATION) -> Document:
    eval_item = EvalItem(question=f"Who owns service {number}?", answers=("Heron",), split=split)
    return Document(title=f"service {number}", body=f"Heron owns service {number}.", eval_items=(eval_item,))


RULES = WriterTrainingRules(held_out=3)


def test_those_held_out_are_never_trained_on() -> None:
    documents = [document(number) for number in range(10)]
    split = divide(documents, RULES, 1, known=False)
    assert (len(split.train), len(split.held_out)) == (7, 3)
    assert not set(split.train) & set(split.held_out)
    assert divide(documents[::-1], RULES, 1, known=False) == split
    assert len(split.questions) == 10


def test_of_few_documents_half_are_held_out() -> None:
    assert len(divide([document(number) for number in range(4)], RULES, 1, known=True).held_out) == 2
    assert divide([document(1)], RULES, 1, known=True).held_out == ()


def test_a_document_with_held_out_questions_alone_is_left_out() -> None:
    split = divide([document(1, Split.TEST), document(2), document(3)], RULES, 1, known=False)
    assert {one.title for one in (*split.train, *split.held_out)} == {"service 2", "service 3"}


def test_rounds_take_the_documents_in_turn_and_begin_again() -> None:
    documents = [document(number) for number in range(5)]
    assert documents_of_round(documents, 1, 2) == tuple(documents[:2])
    assert documents_of_round(documents, 2, 2) == tuple(documents[2:4])
    assert documents_of_round(documents, 3, 2) == (documents[4], documents[0])
    assert len(documents_of_round(documents, 2, 9)) == 5


def test_only_the_documents_of_the_rounds_are_trained_on() -> None:
    documents = [document(number) for number in range(10)]
    assert documents_of_rounds(documents, WriterTrainingRules(rounds=2, documents=3)) == tuple(documents[:6])
    assert documents_of_rounds(documents, WriterTrainingRules(rounds=5, documents=3)) == tuple(documents)
