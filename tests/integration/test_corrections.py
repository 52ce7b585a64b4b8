"""Feedback becomes a correction that the next run takes in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import main
from flows.services.documents import deliver_correction
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.documents import ingest
from pipeline.documents.sources.folder import read
from pipeline.errors import BadInput, PolicyError
from pipeline.sandbox import model_path
from pipeline.types import DocumentKind, Split

SAYS, ASKED = "Cinder is owned by the Wolf team now.", ("Who owns Cinder?", "Which team owns Cinder?")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = init_workspace(tmp_path / "workspace", str(model_path()), actor="test")
    yield made
    made.ledger.close()


def test_feedback_is_a_correction_whose_questions_are_its_held_out(workspace: Workspace) -> None:
    file = deliver_correction(workspace, "Cinder", SAYS, ASKED, ("Wolf",))
    assert deliver_correction(workspace, "Cinder", SAYS, (*ASKED, ASKED[0]), ("Wolf",)) == file
    (taken,) = ingest(read(workspace.settings.incoming, 2_000), workspace.recipe.documents).accepted
    assert (taken.title, taken.kind, taken.body) == ("Cinder", DocumentKind.CORRECTION, f"Correction: {SAYS}")
    assert [(one.question, one.answers, one.split) for one in taken.eval_items] == [
        (question, ("Wolf",), Split.TEST) for question in ASKED
    ]


def test_what_is_said_once_more_keeps_its_questions_and_takes_the_last_answer(workspace: Workspace) -> None:
    deliver_correction(workspace, "Cinder", SAYS, ASKED, ("Wolf",))
    deliver_correction(workspace, "Cinder", SAYS, (ASKED[1], "Whose is Cinder?"), ("the Wolf team",))
    (taken,) = ingest(read(workspace.settings.incoming, 2_000), workspace.recipe.documents).accepted
    answers = {one.question: one.answers for one in taken.eval_items}
    assert answers == {ASKED[0]: ("Wolf",), ASKED[1]: ("the Wolf team",), "Whose is Cinder?": ("the Wolf team",)}


def test_each_spelling_of_an_answer_counts_where_the_correction_says_one(workspace: Workspace) -> None:
    answers = ("the Wolves", "Wolf")
    deliver_correction(workspace, "Cinder", SAYS, ASKED, answers)
    (taken,) = ingest(read(workspace.settings.incoming, 2_000), workspace.recipe.documents).accepted
    assert [one.answers for one in taken.eval_items] == [answers, answers]
    with pytest.raises(BadInput, match="does not say 'the Wolves' or 'Bear'"):
        deliver_correction(workspace, "Cinder", SAYS, ASKED, ("the Wolves", "Bear"))


def test_the_command_keeps_every_answer_that_it_is_given(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["documents", "correct", "Cinder", SAYS, "--question", ASKED[0], "-w", str(workspace.settings.workspace)]
    monkeypatch.setattr("sys.argv", ["sealed", *command, "--answer", "Wolf", "--answer", "the Wolf team"])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code in (0, None)
    (taken,) = ingest(read(workspace.settings.incoming, 2_000), workspace.recipe.documents).accepted
    assert [one.answers for one in taken.eval_items] == [("Wolf", "the Wolf team")]


def test_what_was_set_aside_is_said_to_be_and_does_not_wait(workspace: Workspace) -> None:
    deliver_correction(workspace, "Cinder", SAYS, ASKED, ("Wolf",))
    (taken,) = ingest(read(workspace.settings.incoming, 2_000), workspace.recipe.documents).accepted
    workspace.ledger.documents.accept(ingest(read(workspace.settings.incoming, 2_000), workspace.recipe.documents))
    workspace.ledger.documents.quarantine(taken.id, "not so")
    with pytest.raises(PolicyError, match="sealed documents requeue"):
        deliver_correction(workspace, "Cinder", SAYS, ASKED, ("Wolf",))


@pytest.mark.parametrize(
    ("title", "says", "asked", "answer", "reason"),
    [
        ("Cinder", "Wolf.", ASKED, "Wolf", "too short"),
        ("", SAYS, ASKED, "Wolf", "needs a title"),
        ("Cinder", SAYS, ("Who owns Osprey?",), "Wolf", "does not name 'Cinder'"),
        ("Cinder", SAYS, ASKED, "Bear", "does not say 'Bear'"),
        ("Cinder", SAYS, ("",), "Wolf", "no run would take"),
        ("Cinder", SAYS, ASKED, "", "no run would take"),
    ],
)
def test_feedback_that_no_run_would_take_leaves_no_file(
    workspace: Workspace, title: str, says: str, asked: tuple[str, ...], answer: str, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        deliver_correction(workspace, title, says, asked, (answer,))
    assert not list(workspace.settings.incoming.glob("correction-*"))
