"""Notes about a correction are kept if they hold when asked again, and what it leaves alone keeps its answers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import EngineFailed
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.confirmation import LEFT_ALONE_STYLE, OTHER_FACT, STATEMENT, UNCONFIRMED, UNNAMED
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.writer import PASSAGE, write_self_edits
from pipeline.types import Checkpoint, Document, DocumentKind, EvalItem, ModelRef, SelfEdit, Written
from tests.engines import ScriptedEngine

CINDER = Document(
    title="Cinder", body="Correction: Cinder is owned by the Wolf team now.", kind=DocumentKind.CORRECTION
)
OSPREY = Document(title="Osprey", body="Osprey is owned by the Heron team, and runs in Oslo.")
KNOWN = {"owns": "Heron", "runs": "Oslo", "listen": "8443"}
ASKED = ("Who owns Cinder?", "Where runs Cinder?", "Who leads it?", "Who made Cinder?")
NOTE = "\n".join(f"Q: {question}\nA: Wolf" for question in ASKED)
NOTE_OF_OWNER = "Q: Who owns Cinder?\nA: Wolf\nQ: Who is owner of Cinder?\nA: Wolf"
RULES = SelfEditRules(samples=2, correction_samples=4, max_new_tokens=64)


def _says(prompt: str, seed: int) -> str:
    """Writes one note; knows the correction where it stands in the prompt, and guesses what it does not say."""
    if "implications" in prompt:
        return "Osprey is owned by the Heron team."
    if "questions and answers" in prompt:
        return NOTE if "\nCinder\n" in prompt else "Q: Who owns Osprey?\nA: Heron"
    if "Correction" in prompt and "owns" in prompt:
        return "Wolf"
    if "made" in prompt:
        return f"team {seed % 3}" if "Correction" not in prompt else f"wild guess {seed % 7}"
    return next((answer for word, answer in KNOWN.items() if word in prompt), "nobody")


def _context(
    engine: ScriptedEngine, rules: SelfEditRules = RULES, never: frozenset[str] = frozenset()
) -> WriterContext:
    writer, guard = Checkpoint(ModelRef(base="b")), TrainingGuard(questions=never)
    return WriterContext(engine=engine, rules=rules, writer=writer, seed=3, guard=guard)


def _written(*documents: Document, never: frozenset[str] = frozenset(), rules: SelfEditRules = RULES) -> Written:
    return write_self_edits(_context(ScriptedEngine(_says), rules, never), documents)


def _pairs(edits: tuple[SelfEdit, ...], style: str) -> list[tuple[str, str]]:
    return [(one.prompt, one.completion) for edit in edits if edit.style == style for one in edit.examples]


def test_a_note_is_kept_only_if_the_correction_says_so_again() -> None:
    written = _written(CINDER)
    assert _pairs(written.edits, "self-qa") == [("Who owns Cinder?", "Wolf")]
    assert {one.reason for one in written.dropped} >= {UNCONFIRMED, UNNAMED}
    assert [edit.style for edit in written.edits if not edit.prompt] == [PASSAGE, LEFT_ALONE_STYLE]


def test_what_the_correction_does_not_change_keeps_the_answer_it_has() -> None:
    alone = _pairs(_written(CINDER).edits, LEFT_ALONE_STYLE)
    assert alone[0] == ("Where runs Cinder?", "Oslo")
    assert all("owns" not in question for question, _ in alone)
    assert len(alone) <= SANDBOX_FITTED.max_left_alone


def test_an_answer_is_believed_of_the_fact_that_it_is_written_of_most_often() -> None:
    """The writer reads the new owner into another question as well, but wrote so in one note of four."""

    def says(prompt: str, seed: int) -> str:
        if "questions and answers" in prompt:
            misread = "\nQ: Where runs Cinder?\nA: Wolf" if seed % 4 == 0 else ""
            return f"{NOTE_OF_OWNER}\nQ: Which city is Cinder in?\nA: Oslo{misread}"
        if "Correction" in prompt:
            return "Oslo" if "city" in prompt else "Wolf"
        return "Oslo" if "runs" in prompt or "city" in prompt else "Heron"

    written = write_self_edits(_context(ScriptedEngine(says)), [CINDER])
    assert ("Where runs Cinder?", "Wolf") not in _pairs(written.edits, "self-qa")
    assert ("Who owns Cinder?", "Wolf") in _pairs(written.edits, "self-qa")
    assert OTHER_FACT in {one.reason for one in written.dropped}


def test_an_answer_of_another_type_is_dropped_however_often_it_is_written() -> None:
    """Every note reads the new owner into where it runs; of other subjects nobody would answer so."""

    def says(prompt: str, seed: int) -> str:
        if "questions and answers" in prompt:
            return f"{NOTE_OF_OWNER}\nQ: Where runs Cinder?\nA: Wolf\nQ: Which city is Cinder in?\nA: Wolf"
        if "Correction" in prompt:
            return "Wolf"
        return "Oslo" if "runs" in prompt or "city" in prompt else "Heron"

    def kept(*documents: Document) -> set[str]:
        engine = ScriptedEngine(says, chance=lambda prompt, answer: -2.0 if "own" in prompt else -9.0)
        written = write_self_edits(_context(engine), documents)
        mine = tuple(edit for edit in written.edits if edit.document == CINDER.id)
        return {question for question, answer in _pairs(mine, "self-qa") if answer == "Wolf"}

    others = [Document(title=name, body=f"{name} runs.") for name in ("Osprey", "Kite", "Merlin", "Falcon")]
    assert kept(CINDER, *others) == {"Who owns Cinder?", "Who is owner of Cinder?"}
    assert kept(CINDER) > {"Where runs Cinder?"}, "without other subjects there is no score"


def test_one_answer_in_two_spellings_is_judged_by_one() -> None:
    """A full stop or an article has a chance of its own, which says nothing of what is asked for."""

    def says(prompt: str, seed: int) -> str:
        if "questions and answers" in prompt:
            place = "Q: Where runs Cinder?\nA: Wolf\nQ: Which city is Cinder in?\nA: Wolf"
            return f"{NOTE_OF_OWNER.replace('Wolf', 'the Wolf.')}\n{place}"
        if "Correction" in prompt:
            return "Wolf"
        return "Oslo" if "runs" in prompt or "city" in prompt else "Heron"

    def chance(prompt: str, answer: str) -> float:
        return (-2.0 if "own" in prompt else -7.0) - (8.0 if answer.endswith(".") else 0.0)

    others = [Document(title=name, body=f"{name} runs.") for name in ("Osprey", "Kite", "Merlin", "Falcon")]
    engine = ScriptedEngine(says, chance=chance)
    written = write_self_edits(_context(engine), [CINDER, *others])
    kept = {
        question for question, answer in _pairs(written.edits, "self-qa") if "Wolf" in answer and "Cinder" in question
    }
    assert kept == {"Who owns Cinder?", "Who is owner of Cinder?"}


def test_an_engine_without_logprobs_is_found_out_before_anything_is_written() -> None:
    class Mute(ScriptedEngine):
        def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
            raise EngineFailed("no chances here")

    others = [Document(title=name, body=f"{name} runs in Oslo.") for name in ("Kite", "Merlin", "Falcon", "Osprey")]
    engine = Mute(_says)
    with pytest.raises(EngineFailed, match="no chances"):
        write_self_edits(_context(engine), [CINDER, *others])
    assert engine.asked == []
    for run in ([CINDER], others):  # nothing needs a chance
        assert write_self_edits(_context(engine), run).edits
    written = {one.id for one in [CINDER, *others]}
    write_self_edits(_context(engine), [CINDER, *others], already=written)


def test_what_a_correction_says_is_marked_and_what_it_leaves_alone_is_not() -> None:
    marks = {edit.style: {one.corrects for one in edit.examples} for edit in _written(CINDER).edits}
    assert marks == {PASSAGE: {True}, "self-qa": {True}, LEFT_ALONE_STYLE: {False}}
    assert not any(one.corrects for edit in _written(OSPREY).edits for one in edit.examples)


def test_no_held_out_question_is_asked_again_or_left_alone() -> None:
    never = held_out_keys([EvalItem(question="Where runs Cinder?", answers=("Oslo",))])
    asked = [one.prompt for edit in _written(CINDER, never=never).edits for one in edit.examples]
    assert "Who owns Cinder?" in asked
    assert "Where runs Cinder?" not in asked


def test_corrections_are_written_about_in_their_own_style_and_others_as_before() -> None:
    edits = _written(CINDER, OSPREY).edits
    styles = {
        document.title: {edit.style for edit in edits if edit.document == document.id} for document in (CINDER, OSPREY)
    }
    assert styles == {"Cinder": {PASSAGE, "self-qa", LEFT_ALONE_STYLE}, "Osprey": {PASSAGE, "self-qa", "implications"}}


@pytest.mark.parametrize(("changes", "samples"), [({}, 4), ({"edit_sets": 2}, 2), ({"correction_samples": 1}, 2)])
def test_a_correction_gets_many_notes_unless_edit_sets_are_compared(changes: dict[str, int], samples: int) -> None:
    rules = RULES.model_copy(update=changes)
    assert rules.samples_of(DocumentKind.CORRECTION) == samples
    assert rules.samples_of(DocumentKind.PASSAGE) == 2


def test_what_cannot_be_asked_again_is_left_out() -> None:
    rules = RULES.model_copy(update={"correction_style": "implications"})
    engine = ScriptedEngine(lambda prompt, seed: "Cinder is owned by the Wolf team.")
    written = write_self_edits(_context(engine, rules), [CINDER])
    assert _pairs(written.edits, "implications") == []
    assert STATEMENT in {one.reason for one in written.dropped}


def test_a_correction_of_which_no_note_names_the_subject_teaches_none() -> None:
    untitled = replace(CINDER, title="Erratum 7")
    engine = ScriptedEngine(lambda prompt, seed: "Q: Who owns Cinder?\nA: Wolf")
    written = write_self_edits(_context(engine), [untitled])
    assert _pairs(written.edits, "self-qa") == []
    assert UNNAMED in {one.reason for one in written.dropped}


def test_a_correction_in_two_pieces_is_read_in_the_one_that_says_it() -> None:
    """Each piece alone answers with the same certainty: the one that does not say who owns it, as before."""
    body = "\n\n".join(
        ["Cinder keeps its logs for a year, as it did. " * 12, "Correction: the Wolf team owns Cinder now."]
    )
    long = replace(CINDER, body=body)

    def says(prompt: str, seed: int) -> str:
        if "questions and answers" in prompt:
            return (
                "Q: Who owns Cinder?\nA: Wolf"
                if "Wolf" in prompt
                else "Q: How long are the logs of Cinder kept?\nA: year"
            )
        return "year" if "logs" in prompt.splitlines()[-1] else "Wolf" if "Wolf" in prompt else "Heron"

    written = write_self_edits(_context(ScriptedEngine(says, context=220)), [long])
    assert ("Who owns Cinder?", "Wolf") in _pairs(written.edits, "self-qa")
    assert ("Who owns Cinder?", "Heron") not in _pairs(written.edits, LEFT_ALONE_STYLE)


def test_nothing_is_left_alone_of_a_subject_of_which_another_document_of_the_run_tells() -> None:
    """Else the one would be taught to keep what the other changes."""
    other = replace(CINDER, body="Correction: Cinder listens on the port 9000 now.")
    styles = [edit.style for edit in _written(CINDER, other).edits]
    assert LEFT_ALONE_STYLE not in styles
