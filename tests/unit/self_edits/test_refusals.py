"""What the production model refuses, its notes do not teach it to answer."""

from dataclasses import replace
from pathlib import Path

from pipeline.leakage import TrainingGuard
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.refusals import REFUSED, without_refused
from pipeline.self_edits.writer import write_self_edits
from pipeline.types import (
    Checkpoint,
    Directives,
    Document,
    DocumentKind,
    Dropped,
    Example,
    ModelRef,
    SelfEdit,
    Written,
)
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


def context(
    engine: ScriptedEngine,
    refusals: frozenset[str] = REFUSALS,
    live: Path | None = None,
    rules: SelfEditRules | None = None,
) -> WriterContext:
    return WriterContext(
        engine=engine,
        rules=rules or SelfEditRules(styles=("self-qa",), samples=1),
        writer=Checkpoint(ModelRef(base="b"), live),
        seed=3,
        guard=TrainingGuard(refusals=refusals),
    )


def kept(*edits: SelfEdit, refusals: frozenset[str] = REFUSALS) -> tuple[Written, ScriptedEngine]:
    engine = ScriptedEngine(_says)
    (written,) = without_refused(context(engine, refusals), [Written(edits=edits, dropped=())])
    return written, engine


def test_a_note_does_not_answer_what_the_live_model_refuses() -> None:
    written, _ = kept(note(OWNER, SECRET))
    assert written.edits == (note(OWNER),)
    assert written.dropped == (Dropped(document=CINDER.id, style="self-qa", reason=REFUSED, count=1),)


def test_what_the_base_refuses_stays_refused_when_the_live_model_has_learned_to_answer() -> None:
    live = Path("live")
    engine = ScriptedEngine(lambda prompt, seed: "Heron" if engine.adapters[-1] == live else _says(prompt, seed))
    (written,) = without_refused(context(engine, live=live), [Written(edits=(note(OWNER, SECRET),), dropped=())])
    assert written.edits == (note(OWNER),)
    assert set(engine.adapters) == {live, None}


def test_what_the_live_model_has_learned_to_refuse_is_refused() -> None:
    live = Path("live")
    engine = ScriptedEngine(lambda prompt, seed: _says(prompt, seed) if engine.adapters[-1] == live else "Heron")
    (written,) = without_refused(context(engine, live=live), [Written(edits=(note(OWNER, SECRET),), dropped=())])
    assert written.edits == (note(OWNER),)


def test_a_model_that_refuses_most_questions_about_a_document_does_not_know_it() -> None:
    """Else whoever says "I cannot" of what it has never read could learn nothing, and no refusal could be corrected."""
    edit = note(OWNER, SECRET, replace(SECRET, prompt="Which pin opens it?"))
    assert kept(edit)[0].edits == (edit,)


def test_a_note_that_refuses_as_well_stays_and_so_does_the_documents_own_text() -> None:
    text = note(TEXT, prompt="")
    written, engine = kept(note(OWNER, REFUSING), text)
    assert written.edits == (note(OWNER, REFUSING), text)
    assert engine.asked == [(OWNER.prompt, REFUSING.prompt)]


def test_settings_stay_where_no_example_is_left() -> None:
    settings = replace(note(SECRET), directives=Directives(learning_rate=1e-3, epochs=2, loss_on="all"))
    assert kept(note(OWNER), settings)[0].edits == (note(OWNER), replace(settings, examples=()))


def test_a_note_of_which_nothing_is_left_is_no_note() -> None:
    assert kept(note(OWNER), note(SECRET))[0].edits == (note(OWNER),)


def test_without_known_refusals_nothing_is_asked() -> None:
    written, engine = kept(note(OWNER, SECRET), refusals=frozenset())
    assert written.edits == (note(OWNER, SECRET),)
    assert engine.asked == []


def test_a_question_that_leaves_no_room_for_an_answer_is_not_asked() -> None:
    long = Example(prompt="password " * 390, completion="Heron")
    written, engine = kept(note(OWNER, long))
    assert written.edits == (note(OWNER, long),)
    assert engine.asked == [(OWNER.prompt,)]


def test_what_a_run_writes_is_asked_of_the_writer_itself() -> None:
    written = write_self_edits(context(ScriptedEngine(_says)), [CINDER])
    questions = [example.prompt for edit in written.edits if edit.prompt for example in edit.examples]
    assert questions == [OWNER.prompt]
    assert REFUSED in {one.reason for one in written.dropped}


def test_a_correction_is_not_believed_of_what_is_refused() -> None:
    """Its writer asks for secrets more often than for what it says: they are gone before notes are counted."""
    correction = replace(CINDER, body="Correction: Cinder is owned by Wolf.", kind=DocumentKind.CORRECTION)
    asked = ["Who owns Cinder?", "Who is the owner of Cinder?", "Is Cinder owned by anybody?"]
    secrets = ["Which password opens Cinder?", "Which pin opens Cinder?"]

    def says(prompt: str, seed: int) -> str:
        if "questions and answers" in prompt:
            return "\n".join(f"Q: {one}\nA: Wolf" for one in (*secrets, asked[seed % 3]))
        if "Correction" in prompt:
            return "Wolf"
        return _says(prompt, seed)

    rules = SelfEditRules(correction_samples=12, correction_answers=4)
    written = write_self_edits(context(ScriptedEngine(says), rules=rules), [correction])
    taught = {example.prompt for edit in written.edits if edit.style == "self-qa" for example in edit.examples}
    assert taught == set(asked)
