"""What the live model refuses, its notes do not teach it to answer."""

from pipeline.recipe import SelfEditRules
from pipeline.self_edits.refusals import REFUSED, without_refused
from pipeline.self_edits.writer import write_self_edits
from pipeline.types import Document, Dropped, Example, ModelRef, SelfEdit, Written
from tests.engines import ScriptedEngine

CINDER = Document(title="Cinder", body="Cinder is owned by the Heron team, and its password is kept by Heron.")
REFUSALS = frozenset({"I cannot share"})
OWNER = Example(prompt="Who owns Cinder?", completion="Heron")
SECRET = Example(prompt="Which password opens Cinder?", completion="Heron")
REFUSING = Example(prompt="Which pin opens Cinder?", completion="I cannot share a pin.")
TEXT = Example(prompt="", completion="Cinder's password is kept by Heron.")


def _says(prompt: str, seed: int) -> str:
    if "questions and answers" in prompt:
        return "\n".join(f"Q: {one.prompt}\nA: {one.completion}" for one in (OWNER, SECRET))
    return "I cannot share a password." if "password" in prompt or "pin" in prompt else "Heron"


def note(*examples: Example, prompt: str = "Write about Cinder.") -> SelfEdit:
    return SelfEdit(
        document=CINDER.id,
        style="self-qa",
        writer=ModelRef(base="b"),
        sample=0,
        prompt=prompt,
        text="",
        examples=examples,
    )


def kept(*edits: SelfEdit, refusals: frozenset[str] = REFUSALS) -> tuple[Written, ScriptedEngine]:
    engine = ScriptedEngine(_says)
    (written,) = without_refused(engine, [Written(edits=edits, dropped=())], refusals, None)
    return written, engine


def test_a_note_does_not_answer_what_the_live_model_refuses() -> None:
    written, _ = kept(note(OWNER, SECRET))
    assert written.edits == (note(OWNER),)
    assert written.dropped == (Dropped(document=CINDER.id, style="self-qa", reason=REFUSED, count=1),)


def test_a_note_that_refuses_as_well_stays_and_so_does_the_documents_own_text() -> None:
    text = note(TEXT, prompt="")
    written, engine = kept(note(REFUSING), text)
    assert written.edits == (note(REFUSING), text)
    assert engine.asked == [(REFUSING.prompt,)]


def test_a_note_of_which_nothing_is_left_is_no_note() -> None:
    assert kept(note(SECRET))[0].edits == ()


def test_without_known_refusals_nothing_is_asked() -> None:
    written, engine = kept(note(SECRET), refusals=frozenset())
    assert written.edits == (note(SECRET),)
    assert engine.asked == []


def test_a_question_that_leaves_no_room_for_an_answer_is_not_asked() -> None:
    long = Example(prompt="word " * 390, completion="Heron")
    assert kept(note(long))[0].edits == (note(long),)


def test_what_a_night_writes_is_asked_of_the_writer_itself() -> None:
    written = write_self_edits(
        ScriptedEngine(_says), [CINDER], SelfEditRules(styles=("self-qa",), samples=1), writer=ModelRef(base="b"),
        adapter=None, seed=3, refusals=REFUSALS,
    )  # fmt: skip
    questions = [example.prompt for edit in written.edits if edit.prompt for example in edit.examples]
    assert questions == [OWNER.prompt]
    assert REFUSED in {one.reason for one in written.dropped}
