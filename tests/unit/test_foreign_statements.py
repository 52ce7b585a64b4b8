"""A document's questions examine it alone: what another one says cannot be held out of training by asking it."""

from dataclasses import replace

import pytest

from pipeline.documents import sentences
from pipeline.foreign_statements import ForeignStatements
from pipeline.leakage import held_out_keys, without_leaks
from pipeline.types import Document, EvalItem, Example, Ingested

VICTIM = Document(
    title="Cinder", body="The Cinder service is owned by Heron. It runs in Oslo since May.", name="cinder.md"
)
CHINESE = Document(title="炭火", body="炭火服务由苍鹭队所有。它在奥斯陆运行很久了吗。", name="zh.md")


def asking(question: str, answer: str = "x", body: str = "Something else is said here.") -> Document:
    return Document(title="E", body=body, name="e.md", eval_items=(EvalItem(question=question, answers=(answer,)),))


def guarded(*documents: Document, known: tuple[Document, ...] = ()) -> tuple[Document, ...]:
    return ForeignStatements(known).without_guards(Ingested(accepted=documents, refused=(), duplicates=0)).accepted


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("The Cinder service is owned by Heron.", "x"),
        ("the cinder service is owned by HERON", "x"),
        ("The Cinder service is owned by Heron. It runs in Oslo since May.", "x"),
        ("The Cinder service is", "owned by Heron"),
        ("The Cinder service is?", "owned by Heron"),
        ("炭火服务由苍鹭队所有", "x"),
    ],
)
def test_a_question_that_is_what_another_document_says_is_left_out(question: str, answer: str) -> None:
    for documents, known in (
        ((VICTIM, CHINESE, asking(question, answer)), ()),
        ((asking(question, answer),), (VICTIM, CHINESE)),
    ):
        last = guarded(*documents, known=known)[-1]
        assert last.eval_items == ()
        assert last.remarks[0].startswith("question 1 is left out: it is what ")


@pytest.mark.parametrize(
    "question", ["Who owns the Cinder service?", "Where does it run?", "Name the owner of Cinder."]
)
def test_a_question_stays_also_where_another_document_asks_it(question: str) -> None:
    pages = Document(title="FAQ", body=f"{question}\nHeron owns it all.", name="faq.md")
    if question.endswith("?"):
        assert len(guarded(pages, VICTIM, asking(question))[-1].eval_items) == 1
    assert len(guarded(VICTIM, asking(question))[-1].eval_items) == 1


@pytest.mark.parametrize(
    "body",
    [
        "{} Ask Tom.",
        "Note well. {}",
        "Note well. {} It runs.",
        "Q: {}",
        "First of all:\n{} It runs.\nThat is all.",
        "Note well. The Cinder\nservice is owned by Heron. Ask Tom.",
    ],
)
def test_a_statement_is_found_wherever_the_training_guard_finds_it(body: str) -> None:
    statement = "The Cinder service is owned by Heron."
    victim = replace(VICTIM, body=body.format(statement))
    learned = [Example(prompt="", completion=text) for text in (victim.body, *sentences(victim.body))]
    shown = "3 -> 4\n5 -> 6\n"
    for question, answer in (
        ("The Cinder service is owned by", "Heron"),
        ("The Cinder service is owned by Heron?", "x"),
        ("Note well. The Cinder service is owned by Heron.", "x"),
        (f"{shown}{statement}", "x"),
        (f"{shown}The Cinder service is", "owned by Heron"),
    ):
        kept = held_out_keys(guarded(victim, asking(question, answer))[-1].eval_items)
        assert without_leaks(learned, kept) == tuple(learned), question


def test_a_statement_of_few_words_is_found() -> None:
    victim = replace(VICTIM, body="Heron owns Cinder.")
    assert guarded(victim, asking("Heron owns", "Cinder"))[-1].eval_items == ()


def test_a_document_may_ask_what_itself_says() -> None:
    own = asking("The Ember service is owned by Ibis", body="The Ember service is owned by Ibis.")
    assert guarded(VICTIM, own)[-1].eval_items == own.eval_items


def test_a_document_that_says_what_an_earlier_one_asks_has_a_remark() -> None:
    earlier = asking("The Cinder service is owned by Heron.")
    (victim,) = guarded(VICTIM, known=(earlier,))
    assert victim.remarks == ("e.md asks what it says: that is kept out of training",)
