"""The arms of the learning benchmark do what they say, on a run of two documents."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks.learning import arms, one_run
from benchmarks.learning.__main__ import main
from benchmarks.learning.classroom import Classroom
from benchmarks.learning.corrections import NEW, OLD, SUBJECT, questions_of
from benchmarks.learning.exams import sit
from benchmarks.learning.intervals import by_group, interval, mean
from benchmarks.learning.retrieval import Shelf
from benchmarks.learning.writer import Writer
from benchmarks.peers import seal
from flows.services.initialisation import init_workspace
from pipeline.engines.base import load_base
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Example, Role, Update, UpdatePlan


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    base = load_base(str(model_path()), device="cpu")
    made = Classroom.of(base, run_documents(1, 2, 1003), seed=1003, cache=tmp_path_factory.mktemp("cache"))
    rules = made.recipe.self_edits.model_copy(update={"samples": 1})
    training = made.recipe.training.model_copy(update={"epochs": 1})
    rehearsal = made.recipe.rehearsal.model_copy(update={"generative": 8, "prompts": 8, "reading": 2, "writing": 2})
    changes = {"self_edits": rules, "training": training, "rehearsal": rehearsal}
    return Classroom(
        base=base,
        recipe=made.recipe.model_copy(update=changes),
        suites=made.suites,
        rehearsal_prompts=made.rehearsal_prompts,
        documents=made.documents,
        cache=made.cache,
    )


@pytest.mark.slow
def test_every_arm_sits_the_same_held_out(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "PASSAGE_EPOCHS", 1)
    monkeypatch.setattr(seal, "SAMPLES", 1)
    monkeypatch.setattr(seal, "RULES", seal.RULES.model_copy(update={"epochs": 1}))
    monkeypatch.setitem(arms.TRAINED, arms.TUNED, lambda it: arms.fine_tune(it, epochs=1))
    before = {name: tensor.clone() for name, tensor in room.base.model.state_dict().items()}
    sat = dict(sit(room))
    assert set(sat) == {*arms.PROMPTED, *arms.TRAINED, *arms.ADAPTED}
    assert {(len(one.test), len(one.base_knowledge)) for one in sat.values()} == {(16, 500)}
    assert fmean(sat[arms.OPEN].test) > fmean(sat[arms.CLOSED].test) + 0.5
    assert all(tensor.equal(before[name]) for name, tensor in room.base.model.state_dict().items())
    marks = one_run.Marks()
    for name, one in sat.items():
        marks.add(room, name, one)
    found = {figure.name: figure for figure in one_run.figures(marks, goals=True)}
    assert found[f"recall: {arms.OPEN}"].n == 16
    assert found[f"recall: {arms.DEFAULT}"].goal.startswith(">= 0.90 x open book")
    assert found[f"base knowledge: {arms.SEAL} over the base"].unit == "points"


def test_single_arms_are_held_and_a_trained_writer_writes_for_its_own(room: Classroom, tmp_path: Path) -> None:
    assert arms.WRITER_TRAINING not in arms.arms_of(room)
    writer = Writer(model=replace(room.live, adapter="practised"), adapter=some_adapter(room, tmp_path / "writer"))
    taught = replace(room, trained=writer, notes={})
    assert arms.arms_of(taught) == arms.EVERY
    wanted = (arms.CLOSED, arms.IMPLICATIONS, arms.WRITER_TRAINING)
    marks = one_run.Marks()
    for name, one in sit(taught, wanted):
        marks.add(taught, name, one)
    assert set(marks.test) == set(wanted)
    assert {edit.writer for notes in taught.notes.values() for edit in notes} == {room.live, writer.model}
    names = [figure.name for figure in one_run.figures(marks, goals=True)]
    assert f"recall: {arms.WRITER_TRAINING} over {arms.IMPLICATIONS}" in names
    assert f"base knowledge: {arms.WRITER_TRAINING} over the base" in names


def some_adapter(room: Classroom, out: Path) -> Path:
    example = Example(prompt="Write.", completion="Heron owns Cinder.")
    plan = UpdatePlan(
        update=Update(parent=room.live, self_edits=(), examples_digest="e", recipe="r", seed=1), examples=(example,)
    )
    train_lora(room.base, plan, TrainingSettings(rules=room.recipe.training, ledger=""), parent=None, out=out)
    return out


def test_the_default_arm_rehearses_and_no_other_does(room: Classroom) -> None:
    roles = {name: {one.role for one in make(room).examples} for name, make in arms.ADAPTED.items()}
    assert {Role.NEW, Role.GENERATIVE, Role.REHEARSAL} <= roles.pop(arms.DEFAULT)
    assert set().union(*roles.values()) == {Role.NEW}


def test_seals_arm_is_trained_by_the_rules_of_its_paper(room: Classroom) -> None:
    group = arms.seals_procedure(room)
    rules = group.rules
    assert (rules.rank, rules.alpha, rules.targets) == (32, 64, ("q_proj", "v_proj"))
    assert (rules.epochs, rules.batch_size, rules.learning_rate, rules.warmup) == (10, 1, 1e-3, 0.0)
    titles = {document.title for document in room.documents}
    assert {one.completion.splitlines()[0] for one in group.examples} == titles


def test_retrieval_finds_the_passage_whose_words_are_asked() -> None:
    shelf = Shelf(["Heron owns Cinder.", "Wolf owns Osprey.", "Nobody owns the sea."])
    found = shelf.best(["Who owns Osprey?", "Who owns the sea?"], 2)
    assert [texts[0] for texts in found] == ["Wolf owns Osprey.", "Nobody owns the sea."]
    assert shelf.best(["Cinder?"], 9)[0][0] == "Heron owns Cinder."


def test_intervals_resample_whole_documents() -> None:
    clusters = by_group([1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "b"])
    assert clusters == [[1.0, 1.0], [0.0, 0.0]]
    assert mean(clusters) == 0.5
    assert interval(clusters) == (0.0, 1.0)
    assert interval([[1.0]] * 9) == (1.0, 1.0)
    with pytest.raises(ValueError, match="no clusters"):
        interval([])


def test_passages_are_read_with_all_their_questions(tmp_path: Path) -> None:
    rows = [
        {"title": "Cinder", "context": "Heron owns it.", "questions": [{"question": "Who?", "answer": "Heron"}] * 2}
    ]
    data = tmp_path / "passages.json"
    data.write_text(json.dumps(rows * 3))
    documents = one_run.read_passages(data, 2)
    assert [len(document.eval_items) for document in documents] == [2, 2]
    assert documents[0].eval_items[0].answers == ("Heron",)


def test_another_model_and_its_passages_go_through_the_same_command(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    passage = {
        "title": "Cinder",
        "context": "Cinder is owned by the Heron team.",
        "questions": [{"question": "Who owns Cinder?", "answer": "the Heron team"}],
    }
    (tmp_path / "passages.json").write_text(json.dumps([passage]))
    wanted = [arms.CLOSED, arms.OPEN, arms.PASSAGE_ONLY, arms.SEAL]
    main(
        [
            "one_run",
            "--model",
            str(tiny_model("qwen3", context=512)),
            "--data",
            str(tmp_path / "passages.json"),
            "--count",
            "1",
            "--arms",
            *wanted,
            "--name",
            "other",
            "--out",
            str(tmp_path),
        ]
    )
    figures = json.loads((tmp_path / "learning-other.json").read_text())["figures"]
    assert {figure["name"] for figure in figures} >= {f"recall: {name}" for name in wanted}
    assert (tmp_path / "learning-other.png").is_file()


def test_the_questions_of_corrections_know_the_old_facts_and_what_stays(tmp_path: Path) -> None:
    workspace = init_workspace(tmp_path / "workspace", str(model_path()), actor="test")
    corrections = run_documents(1, 8, 1003, "corrections")
    questions = questions_of(corrections, workspace)
    workspace.ledger.close()
    assert [eval_item.question for eval_item in questions[NEW]] == [eval_item.question for eval_item in questions[OLD]]
    assert all(new.answers != old.answers for new, old in zip(questions[NEW], questions[OLD], strict=True))
    assert len(questions[SUBJECT]) == 8 * 6 * 3
    corrected = {eval_item.question for document in corrections for eval_item in document.eval_items}
    assert corrected.isdisjoint(eval_item.question for eval_item in questions[SUBJECT])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "m"],
        ["corrections", "--model", "m", "--data", "d"],
        ["nothing"],
        ["one_run", "--arms", "guessing", "--name", "n"],
        ["one_run", "--arms", "closed book"],
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
