"""Feedback becomes a correction that the next night takes in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.steps.corrections import deliver_correction
from flows.steps.initialisation import found
from flows.wiring import House
from pipeline.documents.ingestion import take_in
from pipeline.documents.sources.folder import read
from pipeline.errors import BadInput, Refused
from pipeline.sandbox import model_path
from pipeline.types import DocumentKind, Split
from registry.store import documents

SAYS, ASKED = "Cinder is owned by the Wolf team now.", ("Who owns Cinder?", "Which team owns Cinder?")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = found(tmp_path / "workspace", str(model_path()), actor="test")
    yield made
    made.store.close()


def test_feedback_is_a_correction_whose_questions_are_its_exam(house: House) -> None:
    file = deliver_correction(house, "Cinder", SAYS, ASKED, "Wolf")
    assert deliver_correction(house, "Cinder", SAYS, (*ASKED, ASKED[0]), "Wolf") == file
    (taken,) = take_in(read(house.settings.incoming, 2_000), house.recipe.documents).accepted
    assert (taken.title, taken.kind, taken.body) == ("Cinder", DocumentKind.CORRECTION, f"Correction: {SAYS}")
    assert [(one.question, one.answers, one.split) for one in taken.probes] == [
        (question, ("Wolf",), Split.EXAM) for question in ASKED
    ]


def test_what_is_said_once_more_keeps_its_questions_and_takes_the_last_answer(house: House) -> None:
    deliver_correction(house, "Cinder", SAYS, ASKED, "Wolf")
    deliver_correction(house, "Cinder", SAYS, (ASKED[1], "Whose is Cinder?"), "the Wolf team")
    (taken,) = take_in(read(house.settings.incoming, 2_000), house.recipe.documents).accepted
    answers = {one.question: one.answers for one in taken.probes}
    assert answers == {ASKED[0]: ("Wolf",), ASKED[1]: ("the Wolf team",), "Whose is Cinder?": ("the Wolf team",)}


def test_what_was_set_aside_is_said_to_be_and_does_not_wait(house: House) -> None:
    deliver_correction(house, "Cinder", SAYS, ASKED, "Wolf")
    (taken,) = take_in(read(house.settings.incoming, 2_000), house.recipe.documents).accepted
    documents.accept(house.store, take_in(read(house.settings.incoming, 2_000), house.recipe.documents))
    documents.quarantine(house.store, taken.id, "not so")
    with pytest.raises(Refused, match="sealed documents requeue"):
        deliver_correction(house, "Cinder", SAYS, ASKED, "Wolf")


@pytest.mark.parametrize(
    ("title", "says", "asked", "answer", "reason"),
    [
        ("Cinder", "Wolf.", ASKED, "Wolf", "too short"),
        ("", SAYS, ASKED, "Wolf", "needs a title"),
        ("Cinder", SAYS, ("Who owns Osprey?",), "Wolf", "does not name 'Cinder'"),
        ("Cinder", SAYS, ASKED, "Bear", "does not say 'Bear'"),
        ("Cinder", SAYS, ("",), "Wolf", "no night would take"),
        ("Cinder", SAYS, ASKED, "", "no night would take"),
    ],
)
def test_feedback_that_no_night_would_take_leaves_no_file(
    house: House, title: str, says: str, asked: tuple[str, ...], answer: str, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        deliver_correction(house, title, says, asked, answer)
    assert not list(house.settings.incoming.glob("correction-*"))
