"""Each sentence of a document is asked for by some of its words, and learned as it stands."""

from pipeline.documents import sentences
from pipeline.prompts import open_book
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.quotes import quotes
from pipeline.types import Checkpoint, Document, Example, ModelRef
from tests.engines import ScriptedEngine

BODY = "The Heron team owns the Cinder service since 2019. Invoices are kept in Oslo for seven years. It is so."
CINDER = Document(title="Cinder", body=BODY)
FRAME = "Topic: {title}\n{question}"
RULES = SelfEditRules()


def of(document: Document, times: int) -> tuple[Example, ...]:
    context = WriterContext(
        engine=ScriptedEngine(lambda prompt, seed: ""),
        rules=RULES.model_copy(update={"quotes": times}),
        writer=Checkpoint(ModelRef(base="b")),
        seed=3,
        question_prompt=FRAME,
    )
    return quotes(context, document, [document.body])


def test_every_sentence_is_learned_as_often_as_wished_and_word_for_word() -> None:
    found = of(CINDER, 3)
    assert [one.completion for one in found] == [sentence for sentence in sentences(BODY) for _ in range(3)]
    assert len({one.prompt for one in found}) == len(found)


def test_a_sentence_is_asked_for_by_words_of_its_own_under_the_recipes_question_prompt() -> None:
    for one in of(CINDER, 3):
        assert one.prompt.startswith("Topic: Cinder\nWhat is said about ")
        cue = one.prompt.partition("said about ")[2].rstrip("?").split(", ")
        assert 1 <= len(cue) <= 3
        assert all(word in one.completion for word in cue)


def test_the_teacher_sees_the_document_and_the_learner_does_not() -> None:
    for one in of(CINDER, 1):
        assert one.taught_by == open_book("Cinder", BODY, one.prompt, RULES.document_prompt)
        assert BODY not in one.prompt


def test_the_words_depend_on_the_document_alone() -> None:
    assert of(CINDER, 3) == of(CINDER, 3)


def test_a_sentence_without_words_of_its_own_is_not_asked_for() -> None:
    assert of(Document(title="Odd", body="is it so as it is"), 2) == ()
