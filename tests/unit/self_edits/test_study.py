"""The model answers its own questions with the document, and learns only what it says again and what stands there."""

from dataclasses import replace

from pipeline import progress
from pipeline.prompts import open_book
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.study import ABSENT, OTHERWISE, verified
from pipeline.self_edits.styles import self_study
from pipeline.self_edits.writer import write_self_edits
from pipeline.types import Checkpoint, Document, Example, ModelRef, SelfEdit, Written
from tests.engines import ScriptedEngine

BODY = "The Cinder service is owned by the Heron team. Its invoices are kept in Oslo."
CINDER = Document(title="Cinder", body=BODY)
FRAME = "Topic: {title}\n{question}"
OWNER, PLACE, PORT = "Who owns Cinder?", "Where are the invoices of Cinder kept?", "Which port does Cinder use?"


def _says(prompt: str, seed: int) -> str:
    if self_study.TASK in prompt:
        return "\n".join(f"{number}. {one}" for number, one in enumerate((OWNER, PLACE, PORT), start=1))
    if OWNER in prompt:
        return "The Heron team owns Cinder."
    if PLACE in prompt:
        return "Oslo" if seed == 0 else "Bergen"
    return "It uses port 8443."


def context(**changed: object) -> WriterContext:
    rules = SelfEditRules(styles=("self-study",), samples=1, passage=False, verify=True)
    return WriterContext(
        engine=ScriptedEngine(_says),
        rules=rules.model_copy(update=changed),
        writer=Checkpoint(ModelRef(base="b")),
        seed=3,
        question_prompt=FRAME,
    )


def test_questions_are_answered_with_the_document_and_learned_without_it() -> None:
    written = write_self_edits(context(verify=False), [CINDER])
    first = written.edits[0].examples[0]
    assert first.prompt == f"Topic: Cinder\n{OWNER}"
    assert first.completion == "The Heron team owns Cinder."
    assert first.taught_by == open_book("Cinder", BODY, first.prompt, SelfEditRules().document_prompt)


def test_what_is_answered_otherwise_or_stands_nowhere_is_dropped_and_counted() -> None:
    written = write_self_edits(context(), [CINDER])
    assert [one.prompt for edit in written.edits for one in edit.examples] == [f"Topic: Cinder\n{OWNER}"]
    assert {(one.reason, one.count) for one in written.dropped} >= {(OTHERWISE, 1)}


def test_an_answer_that_does_not_stand_in_the_document_is_never_asked_again() -> None:
    edit = SelfEdit(
        document=CINDER.id,
        style="self-qa",
        writer=ModelRef(base="b"),
        sample=0,
        prompt="Write about Cinder.",
        text="",
        examples=(Example(prompt=PORT, completion="8443"),),
    )
    asking = context()
    written = verified(asking, CINDER, Written(edits=(edit,), dropped=()))
    assert written.edits == ()
    assert [(one.reason, one.count) for one in written.dropped] == [(ABSENT, 1)]
    statement = replace(edit, examples=(Example(prompt="", completion="Cinder uses port 8443."),))
    assert verified(asking, CINDER, Written(edits=(statement,), dropped=())).edits == (statement,)


def test_quotes_are_kept_whatever_the_model_says() -> None:
    written = write_self_edits(context(quotes=2), [CINDER])
    quoted = [edit for edit in written.edits if not edit.prompt]
    assert [edit.style for edit in quoted] == ["self-study"]
    assert {one.completion for one in quoted[0].examples} == {
        "The Cinder service is owned by the Heron team.",
        "Its invoices are kept in Oslo.",
    }


def test_the_example_in_the_instruction_is_no_question_about_the_document() -> None:
    assert self_study.parse("Cinder", "1. How large is Lake Veldon?\nA remark.\n2. Who owns Cinder?\n") == (
        Example(prompt="Who owns Cinder?", completion=""),
    )


def test_progress_runs_through_questions_answers_and_verification_without_going_back() -> None:
    told: list[tuple[float, float]] = []
    documents = [replace(CINDER, title=f"Cinder{number}") for number in range(12)]
    with progress.watched_by(lambda _, *said: told.append(said)), progress.step("writing self-edits"):
        write_self_edits(context(), documents)
    shares = [done / total for done, total in told]
    assert shares == sorted(shares)
    assert told[-1] == (12, 12)
    first_group = 8 / 12
    # Of the first group: its questions are sampled, all are answered, and half of the documents are verified.
    for share in (first_group / 6, first_group / 3, first_group / 2):
        assert min(abs(share - one) for one in shares) < 1e-9
