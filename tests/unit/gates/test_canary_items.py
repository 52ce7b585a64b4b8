"""The eval items that both releases are asked: what both should know, and nothing that a correction changed."""

from datetime import UTC, datetime

from gates.canary_items import graded, items_for_both
from gates.suite import Suites, eval_item_suite
from pipeline.types import Document, DocumentKind, EvalItem

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def item(question: str, answer: str = "Heron", group: str = "") -> EvalItem:
    return EvalItem(question=question, answers=(answer,), group=group)


def document(name: str, *items: EvalItem, kind: DocumentKind = DocumentKind.PASSAGE) -> Document:
    return Document(title=name, body=f"The service {name} is owned.", name=f"{name}.md", kind=kind, eval_items=items)


SUITES = Suites(retention=(eval_item_suite("retention/facts", [item("Who owns Fjord?"), item("Who owns Gale?")]),))


def questions(*learned: tuple[int, list[Document]], release: int = 3, epoch: int = 1) -> list[str]:
    return [one.question for one in items_for_both(SUITES, learned, release, epoch)]


def test_both_are_asked_what_was_learned_before_the_canary_and_the_retention_suites() -> None:
    asked = questions(
        (1, [document("Atlas", item("Who owns Atlas?"))]),
        (3, [document("Birch", item("Who owns Birch?"))]),
    )
    assert sorted(asked) == ["Who owns Atlas?", "Who owns Fjord?", "Who owns Gale?"]


def test_a_document_counts_once_however_many_questions_it_has() -> None:
    several = document("Atlas", item("Who owns Atlas?"), item("Where does Atlas run?"), item("Since when is Atlas up?"))
    assert len(questions((1, [several]))) == 3


def test_a_question_that_a_correction_answers_anew_is_not_asked() -> None:
    new = document("Atlas now", item("Who owns Atlas?", "Ibis"), kind=DocumentKind.CORRECTION)
    assert "Who owns Atlas?" not in questions((1, [document("Atlas", item("Who owns Atlas?"))]), (3, [new]))


def test_the_order_is_drawn_anew_for_each_canary_and_is_the_same_for_one() -> None:
    many = [document(f"S{at}", item(f"Who owns S{at}?")) for at in range(20)]
    assert questions((1, many)) == questions((1, many))
    assert questions((1, many)) != questions((1, many), epoch=2)


def test_answers_are_graded_as_the_gates_grade_them() -> None:
    one = item("Who owns Atlas?")
    (outcome,) = graded([(one, "It is owned by Ibis.", "Atlas is owned by Heron.")], 7, NOON)
    assert (outcome.epoch, outcome.key, outcome.canary_failed, outcome.stable_failed) == (7, one.id, True, False)
