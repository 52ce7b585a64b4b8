"""What a run keeps in files is read back as it was written, or not at all."""

from pathlib import Path

import pytest

from flows.steps.run_files import read_value, write_value
from pipeline.types import Document, EvalItem, Example, Followed, ModelRef, Role, Split, Update, UpdatePlan
from pipeline.writer_training import DocumentSplit

PLAN = UpdatePlan(
    update=Update(
        parent=ModelRef(base="b" * 64, adapter="a" * 64),
        self_edits=("e1", "e2"),
        examples_digest="d",
        recipe="r",
        seed=7,
        followed=(Followed(document="doc", settings=None, tools=("paraphrase",), reasons=("clipped",)),),
    ),
    examples=(
        Example(prompt="Who owns Cinder? ≈", completion="Heron", corrects=True, loss_on="all"),
        Example(prompt="", completion="The \x0b Cinder", role=Role.REPLAY, ends=False),
    ),
)
SPLIT = DocumentSplit(
    train=(
        Document(
            title="Cinder",
            body="Owned by Heron.",
            eval_items=(EvalItem(question="Who?", answers=("Heron",), split=Split.VALIDATION),),
        ),
    ),
    held_out=(),
    known=False,
)


@pytest.mark.parametrize("value", [PLAN, SPLIT])
def test_a_value_comes_back_as_it_was_written(value: UpdatePlan | DocumentSplit, tmp_path: Path) -> None:
    file = tmp_path / "plans" / "one.json"
    write_value(file, value, "basis")
    assert read_value(file, type(value), "basis") == value
    assert read_value(file, type(value)) == value


def test_a_plan_that_is_read_back_has_its_update_id(tmp_path: Path) -> None:
    write_value(tmp_path / "one.json", PLAN, "basis")
    found = read_value(tmp_path / "one.json", UpdatePlan)
    assert found is not None
    assert found.update.id == PLAN.update.id
    assert [example.id for example in found.examples] == [example.id for example in PLAN.examples]


def test_a_value_that_was_made_on_another_basis_is_none(tmp_path: Path) -> None:
    write_value(tmp_path / "one.json", PLAN, "basis")
    assert read_value(tmp_path / "one.json", UpdatePlan, "what is held out now") is None


@pytest.mark.parametrize(("before", "after"), [("Heron", "Raven"), ("basis", "bases"), ("}", ""), ("digest", "digits")])
def test_a_file_that_was_changed_or_damaged_counts_as_none(before: str, after: str, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    write_value(file, PLAN, "basis")
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")
    assert read_value(file, UpdatePlan) is None


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_value(tmp_path / "one.json", UpdatePlan) is None
