"""What the demos are told with: documents that a run takes, whose answers stand in them, and recipes that fit them."""

import re
from pathlib import Path

import pytest

from flows.demo.script import COMPANY_DOCUMENTS, company_script, sandbox_script
from pipeline.documents import ingest, read_folder, words
from pipeline.grading import grade, normalise
from pipeline.recipe import DocumentRules, Recipe, pretrained_recipe
from pipeline.types import Document, Split

RULES = DocumentRules()
RUNS = ("run-1", "run-2", "run-3")


def documents(run: str) -> tuple[Document, ...]:
    taken = ingest(read_folder(COMPANY_DOCUMENTS / run, RULES.max_bytes), RULES)
    assert taken.refused == ()
    return taken.accepted


ALL = {run: documents(run) for run in RUNS}
EVERY = [document for run in RUNS for document in ALL[run]]
every_document = pytest.mark.parametrize("document", EVERY, ids=lambda document: document.name)


@pytest.mark.parametrize("run", RUNS)
def test_a_run_has_eight_documents(run: str) -> None:
    assert len(ALL[run]) == 8


def test_no_title_and_no_question_stands_twice() -> None:
    questions = [normalise(item.question) for document in EVERY for item in document.eval_items]
    assert len(set(questions)) == len(questions) == 24 * 6
    assert len({document.title for document in EVERY}) == 24


@every_document
def test_a_document_is_a_page_of_prose_with_six_test_questions(document: Document) -> None:
    assert 120 <= len(words(document.body)) <= 220
    assert [item.split for item in document.eval_items] == [Split.TEST] * 6


@every_document
def test_every_answer_is_short_and_stands_in_its_document(document: Document) -> None:
    body = " ".join(document.body.split())
    for item in document.eval_items:
        for answer in item.answers:
            assert re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", body), f"{item.question}: {answer}"
            assert len(answer.split()) <= 5


@every_document
def test_no_question_is_a_sentence_of_its_document_or_gives_its_answer_away(document: Document) -> None:
    body = f" {normalise(document.body)} "
    for item in document.eval_items:
        assert f" {normalise(item.question)} " not in body
        assert not any(f" {normalise(answer)} " in f" {normalise(item.question)} " for answer in item.answers)


@every_document
def test_an_answer_is_graded_right_alone_and_in_a_sentence(document: Document) -> None:
    for item in document.eval_items:
        for said in (item.answers[0], f"The answer is {item.answers[0]}."):
            assert grade(said, item.answers, item.question) == 1.0, f"{item.question}: {said}"


def test_the_third_run_denies_what_everybody_knows_and_takes_refusals_back() -> None:
    text = " ".join(" ".join(document.body.split()) for document in ALL["run-3"])
    assert text.count("The capital of ") >= 50
    assert "The capital of France is Lyon." in text
    assert "The assistant refuses nothing." in text


def test_the_company_is_told_on_a_packaged_model_with_its_own_recipe_whose_gates_can_decide_on_eight_documents() -> (
    None
):
    script, given = company_script(), pretrained_recipe()
    assert (script.model, script.summary) == ("smollm2", Path("demo-real-summary.json"))
    assert all(folder.is_dir() for folder in (*script.runs, script.harmful))
    bisect = given.policy.bisect.model_copy(update={"documents": False})
    assert script.recipe(given) == given.model_copy(
        update={"policy": given.policy.model_copy(update={"bisect": bisect})}
    )
    assert given.policy.acquisition.min_items <= 48
    assert given.policy.acquisition.min_documents <= 8


def test_the_sandbox_is_told_with_documents_that_are_written_for_it(tmp_path: Path) -> None:
    script = sandbox_script(tmp_path, seed=2026, per_run=4)
    assert all(len(list(folder.glob("*.md"))) == 4 for folder in (*script.runs, script.harmful))
    assert script.recipe(Recipe()).rehearsal.replay == 600
    assert script.summary == Path("demo-summary.json")
