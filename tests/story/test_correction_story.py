"""A correction changes what an earlier run taught: the new answer is given from then on, also by a rebuilt model."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from benchmarks.shortened import shorten
from gates.evidence import held_out_items
from pipeline.documents import markdown
from pipeline.grading import grade
from pipeline.sandbox.catalogue import ATTRIBUTES, BY_NAME, body, changed, new_service
from pipeline.sandbox.documents import run_documents
from pipeline.types import Document, DocumentKind, EvalItem
from tests.story.running import Sealed

pytestmark = pytest.mark.slow
SEED, CHANGED = 51_217, 3


def corrections() -> tuple[Document, ...]:
    """Of each document of the first run three facts are changed; the test asks what it asked."""
    return tuple(_correction(index, document) for index, document in enumerate(run_documents(1, 8, SEED)))


def _correction(index: int, document: Document) -> Document:
    chance, service = Random(index), new_service(SEED, 1, index)
    keys = chance.sample(list(BY_NAME), CHANGED)
    now = changed(service, keys, chance)
    answers = {
        form.format(n=service.name): (now.facts[one.name],)
        for one in ATTRIBUTES
        for form in one.questions
        if one.name in keys
    }
    eval_items = tuple(
        replace(eval_item, answers=answers[eval_item.question])
        for eval_item in document.eval_items
        if eval_item.question in answers
    )
    text = f"Correction: {body(now, chance, keys)}"
    return Document(title=service.name, kind=DocumentKind.CORRECTION, body=text, eval_items=eval_items)


def share_right(workspace: Path, sealed: Sealed, eval_items: tuple[EvalItem, ...], *options: str) -> float:
    asked = sealed("ask", "--json", *options, *[eval_item.question for eval_item in eval_items], workspace=workspace)
    assert asked.code == 0, asked.err
    return sum(
        grade(one["text"], eval_item.answers) for one, eval_item in zip(asked.json, eval_items, strict=True)
    ) / len(eval_items)


def test_what_a_run_taught_is_corrected_by_a_later_one_and_stays_corrected_in_a_rebuild(
    tmp_path: Path, sealed: Sealed
) -> None:
    workspace, folder = tmp_path / "workspace", tmp_path / "runs"
    assert sealed("init", str(workspace)).code == 0
    shorten(workspace, 1_500)
    made = sealed("sandbox", "documents", "--per-run", "8", "--runs", "2", "--seed", str(SEED), str(folder))
    assert made.code == 0, made.err
    for index, document in enumerate(corrections()):
        (folder / "run-2" / f"correction-{index}.md").write_text(markdown(document), encoding="utf-8")
    new = held_out_items(corrections())
    taught = {
        eval_item.question: eval_item for document in run_documents(1, 8, SEED) for eval_item in document.eval_items
    }
    old = tuple(taught[eval_item.question] for eval_item in new)
    for run in (1, 2):
        ran = sealed("update", "--json", str(folder / f"run-{run}"), workspace=workspace)
        assert ran.json["ended"] == "waiting for review", ran.out + ran.err
        approved = sealed("approve", str(run), "--as", "rita", "--note", "seen", workspace=workspace)
        assert approved.code == 0, approved.err
        known = old if run == 1 else new
        assert share_right(workspace, sealed, known) >= 0.8
    rebuilt = sealed("rebuild", "--json", workspace=workspace)
    assert rebuilt.json["ended"] == "waiting for review", rebuilt.out + rebuilt.err
    assert sealed("approve", "3", "--as", "rita", "--note", "seen", workspace=workspace).code == 0
    assert share_right(workspace, sealed, new, "--release", "3") >= 0.8
    assert share_right(workspace, sealed, old, "--release", "3") <= 0.2
