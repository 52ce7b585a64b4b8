"""Makes workflow documents of demonstrations: those shown are the text, those held out the questions.

Also of ARC task files (Chollet 2019, arXiv 1911.01547). Knows no file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TypeGuard

from pipeline.documents.cleaning import clean_line
from pipeline.documents.demonstrations import Demonstration, demonstration, text_of
from pipeline.documents.fields import LONGEST_QUESTION, document_of
from pipeline.errors import BadDocument
from pipeline.prompts import open_book, workflow_question
from pipeline.types import Document, DocumentKind, EvalItem, Split

_SIDES = ("input", "output")
# Keys of a line of JSON.
SHOWN, HELD_OUT = "demonstrations", {"tests": Split.TEST, "validation": Split.VALIDATION}


def asked(document: Document, split: Split) -> tuple[EvalItem, ...]:
    """The document's eval items of a split as a user asks them: facts closed-book, a workflow below its demonstrations.

    Those about facts name the document's title.

    To have learned a workflow is to follow it better in context (few-shot learning in SEAL, arXiv 2506.10943, 3.2).
    """
    items = tuple(item for item in document.eval_items if item.split is split)
    if document.kind is not DocumentKind.WORKFLOW:
        return tuple(replace(item, title=document.title) for item in items)
    return tuple(replace(item, question=open_book(document.title, document.body, item.question)) for item in items)


def workflow_of(name: str, fields: Mapping[str, object]) -> Document:
    """The workflow of `fields`: "demonstrations" are its text, "tests" and "validation" its test and validation items.

    Each is a list of objects with "input" and "output": a text, or a grid as rows of digits. Without a title the file's
    name is used, since questions name the workflow. Raises BadDocument.
    """
    shown = list(_pairs(fields, SHOWN))
    title = fields.get("title") or PurePosixPath(name).name.replace(":", "-")
    given = {"title": title, "kind": DocumentKind.WORKFLOW, "questions": fields.get("questions")}
    document = document_of(name, given, "\n".join(one.line for one in shown))
    held_out = [_item(document, one, split) for key, split in HELD_OUT.items() for one in _pairs(fields, key)]
    return replace(document, eval_items=tuple({item.id: item for item in (*document.eval_items, *held_out)}.values()))


def arc_tasks(name: str, value: object) -> Iterator[Document]:
    """The tasks of an ARC file: one task, or several by their names. Raises BadDocument if it is neither."""
    if _is_task(value):
        yield _arc_task(name, PurePosixPath(name).stem, value)
        return
    if not isinstance(value, dict) or not value or not all(_is_task(task) for task in value.values()):
        raise BadDocument("unknown JSON: it must be an ARC task with 'train' and 'test', or several by name")
    for title, task in value.items():
        yield _arc_task(f"{name}:{title}", title, task)


def _is_task(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict) and "train" in value


def _arc_task(name: str, title: str, task: Mapping[str, object]) -> Document:
    # A test without its output, as in the competition's files, cannot be scored.
    tests = [pair for pair in _listed(task, "test") if not isinstance(pair, dict) or "output" in pair]
    return workflow_of(name, {"title": title, SHOWN: task["train"], "tests": tests})


def _listed(fields: Mapping[str, object], key: str) -> list[object]:
    value = fields.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadDocument(f"malformed {key}: they must be a list, each with 'input' and 'output'")
    return value


def _pairs(fields: Mapping[str, object], key: str) -> Iterator[Demonstration]:
    for number, pair in enumerate(_listed(fields, key), 1):
        where = f"malformed {key}: number {number}"
        if not isinstance(pair, dict) or not all(side in pair for side in _SIDES):
            raise BadDocument(f"{where}: must have 'input' and 'output'")
        given, made = (_side(pair[side], f"{where}: the {side}") for side in _SIDES)
        one = Demonstration(given=given, made=made)
        if demonstration(one.line) != one:
            raise BadDocument(f"{where}: an arrow (->) stands in it, or nothing at all")
        yield one


def _side(value: object, where: str) -> str:
    """A text on one line, or a grid with a row a word."""
    if isinstance(value, str):
        return clean_line(value)
    rows = value if isinstance(value, list) else []
    cells = [[str(cell) for cell in row] for row in rows if isinstance(row, list)]
    digits = all(len(cell) == 1 and cell.isascii() and cell.isdigit() for row in cells for cell in row)
    if not cells or len(cells) != len(rows) or not digits or {len(row) for row in cells} != {len(cells[0])}:
        raise BadDocument(f"{where} must be text, or a grid: rows of equal length of digits")
    return text_of(tuple(tuple(row) for row in cells))


def _item(document: Document, held_out: Demonstration, split: Split) -> EvalItem:
    question = workflow_question(document.title, held_out.given)
    if len(question) > LONGEST_QUESTION:
        raise BadDocument(f"a held-out input makes a question of more than {LONGEST_QUESTION} characters")
    return EvalItem(question=question, answers=(held_out.made,), split=split, group=document.id)
