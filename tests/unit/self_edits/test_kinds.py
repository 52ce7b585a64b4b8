"""How well an answer suits a question is asked of other subjects than the one it is about."""

from math import exp, log

import pytest

from pipeline.self_edits.kinds import FEWEST, suiting
from pipeline.types import Document, Example
from tests.engines import ScriptedEngine

CINDER = Document(title="Cinder service", body="Cinder is owned by Wolf.")
OTHERS = ("Osprey", "Kite", "Merlin", "Falcon")


def asked_of(question: str, subjects: tuple[str, ...] = OTHERS) -> list[str]:
    asked: list[str] = []

    def chance(prompt: str, answer: str) -> float:
        asked.append(prompt)
        return -1.0

    suiting(ScriptedEngine(chance=chance), CINDER, [Example(prompt=question, completion="Wolf")], subjects, None)
    return asked


def test_each_other_subject_takes_the_place_of_the_title_or_of_a_word_of_it() -> None:
    assert asked_of("Who owns the Cinder service?") == [f"Who owns the {name}?" for name in OTHERS]
    assert asked_of("Who owns CINDER?") == [f"Who owns {name}?" for name in OTHERS]


def test_the_document_itself_is_no_other_subject() -> None:
    assert asked_of("Who owns cinder?", ("cinder SERVICE", *OTHERS)) == [f"Who owns {name}?" for name in OTHERS]


def test_with_few_other_subjects_nothing_is_asked_and_all_suit_alike() -> None:
    assert asked_of("Who owns Cinder?", OTHERS[: FEWEST - 1]) == []


def test_one_subject_that_has_such_an_answer_tells_more_than_many_that_have_others() -> None:
    engine = ScriptedEngine(chance=lambda prompt, answer: log(0.5) if "Kite" in prompt else -20.0)
    questions = [Example(prompt="Who owns Cinder?", completion="Wolf"), Example(prompt="Is Cinder?", completion="Wolf")]
    assert suiting(engine, CINDER, questions, OTHERS, None) == pytest.approx([log((0.5 + 3 * exp(-20)) / 4)] * 2)
