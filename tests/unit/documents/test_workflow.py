"""Demonstrations become a workflow with the held-out ones as its questions; what is none is refused in words."""

import json

import pytest

from pipeline.documents import ingest
from pipeline.documents.parsing import parse
from pipeline.recipe import DocumentRules
from pipeline.types import Document, DocumentKind, EvalItem, RawDocument, Refusal, Split

TASK = {
    "train": [{"input": [[0, 1], [2, 3]], "output": [[3, 2], [1, 0]]}, {"input": [[4]], "output": [[4]]}],
    "test": [{"input": [[5, 0]], "output": [[0, 5]]}, {"input": [[9]]}],
}


def parsed(name: str, value: object) -> list[Document | Refusal]:
    return list(parse(RawDocument(name=name, data=json.dumps(value).encode()), DocumentRules()))


def one(name: str, value: object) -> Document:
    (found,) = parsed(name, value)
    assert isinstance(found, Document), found
    return found


def refused(name: str, value: object) -> str:
    (found,) = parsed(name, value)
    assert isinstance(found, Refusal), found
    return found.reason


def test_an_arc_task_is_its_demonstrations_and_its_tests_are_the_held_out() -> None:
    task = one("tasks/007bbfb7.json", TASK)
    assert (task.title, task.kind) == ("007bbfb7", DocumentKind.WORKFLOW)
    assert task.body == "01 23 -> 32 10\n4 -> 4"
    assert task.eval_items == (
        EvalItem(question="What does 007bbfb7 make of 50?", answers=("05",), split=Split.TEST, group=task.id),
    )


def test_several_arc_tasks_stand_in_a_file_by_name() -> None:
    tasks = parsed("arc.json", {"a1": TASK, "b2": TASK})
    assert [(task.name, task.title) for task in tasks if isinstance(task, Document)] == [
        ("arc.json:a1", "a1"),
        ("arc.json:b2", "b2"),
    ]


def test_demonstrations_in_a_line_of_json_may_be_text_and_hold_out_validation_items() -> None:
    line = {
        "title": "Flip",
        "demonstrations": [{"input": "a b", "output": "b a"}, {"input": "c  d", "output": "d c"}],
        "tests": [{"input": "e f", "output": "f e"}],
        "validation": [{"input": "g h", "output": "h g"}],
        "questions": [{"question": "What is Flip?", "answers": ["a workflow"]}],
    }
    flip = one("flip.jsonl", line)
    # A line of a file is refused or accepted under its number.
    assert (flip.name, flip.body) == ("flip.jsonl:1", "a b -> b a\nc d -> d c")
    assert [(eval_item.question, eval_item.split) for eval_item in flip.eval_items] == [
        ("What is Flip?", Split.TEST),
        ("What does Flip make of e f?", Split.TEST),
        ("What does Flip make of g h?", Split.VALIDATION),
    ]


def test_a_workflow_without_a_title_is_named_by_its_line() -> None:
    assert one("flip.jsonl", {"demonstrations": [{"input": "a", "output": "b"}]}).title == "flip.jsonl-1"


@pytest.mark.parametrize(
    ("demonstrations", "words"),
    [
        ("a -> b", "they must be a list"),
        ([{"input": "a"}], "number 1: must have 'input' and 'output'"),
        ([{"input": "a -> b", "output": "c"}], "an arrow"),
        ([{"input": "", "output": "c"}], "an arrow (->) stands in it, or nothing at all"),
        ([{"input": [[1, 2], [3]], "output": "c"}], "rows of equal length"),
        ([{"input": [[12]], "output": "c"}], "rows of equal length of digits"),
        ([{"input": [], "output": "c"}], "rows of equal length"),
        ([{"input": True, "output": "c"}], "must be text, or a grid"),
    ],
)
def test_what_is_no_demonstration_is_refused_in_words(demonstrations: object, words: str) -> None:
    assert words in refused("flip.jsonl", {"title": "Flip", "demonstrations": demonstrations})


@pytest.mark.parametrize("value", [[], {}, {"a": 1}, {"a": {"train": []}, "b": {}}, "text", 3])
def test_other_json_is_refused(value: object) -> None:
    assert "ARC task" in refused("other.json", value)


def test_a_question_that_no_context_holds_refuses_the_task() -> None:
    large = [[1] * 30] * 30
    assert "more than 600 characters" in refused("big.json", {**TASK, "test": [{"input": large, "output": large}]})


def test_a_task_is_taken_in() -> None:
    raw = RawDocument(name="a.json", data=json.dumps(TASK).encode())
    taken = ingest([raw], DocumentRules(min_words=3))
    assert len(taken.accepted) == 1, taken.refused
