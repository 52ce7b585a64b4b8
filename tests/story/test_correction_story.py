"""A correction changes what an earlier night taught: the new answer is given from then on, also by a rebuilt model."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from benchmarks.shortened import shorten
from gates.evidence import exam_probes
from pipeline.documents.rendering import markdown
from pipeline.grading import grade
from pipeline.sandbox.catalogue import ATTRIBUTES, BY_NAME, body, changed, new_service
from pipeline.sandbox.documents import night_documents
from pipeline.types import Document, DocumentKind, Probe
from tests.story.running import Sealed

pytestmark = pytest.mark.slow
SEED, CHANGED = 51_217, 3


def corrections() -> tuple[Document, ...]:
    """Of each document of the first night three facts are changed; the exam asks what it asked."""
    return tuple(_correction(index, document) for index, document in enumerate(night_documents(1, 8, SEED)))


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
    probes = tuple(
        replace(probe, answers=answers[probe.question]) for probe in document.probes if probe.question in answers
    )
    text = f"Correction: {body(now, chance, keys)}"
    return Document(title=service.name, kind=DocumentKind.CORRECTION, body=text, probes=probes)


def share_right(workspace: Path, sealed: Sealed, probes: tuple[Probe, ...], *options: str) -> float:
    asked = sealed("ask", "--json", *options, *[probe.question for probe in probes], workspace=workspace)
    assert asked.code == 0, asked.err
    return sum(grade(one["text"], probe.answers) for one, probe in zip(asked.json, probes, strict=True)) / len(probes)


def test_what_a_night_taught_is_corrected_by_a_later_one_and_stays_corrected_in_a_rebuild(
    tmp_path: Path, sealed: Sealed
) -> None:
    workspace, folder = tmp_path / "workspace", tmp_path / "nights"
    assert sealed("init", str(workspace)).code == 0
    shorten(workspace, 1_500)
    made = sealed("sandbox", "documents", "--per-night", "8", "--nights", "2", "--seed", str(SEED), str(folder))
    assert made.code == 0, made.err
    for index, document in enumerate(corrections()):
        (folder / "night-2" / f"correction-{index}.md").write_text(markdown(document), encoding="utf-8")
    new = exam_probes(corrections())
    taught = {probe.question: probe for document in night_documents(1, 8, SEED) for probe in document.probes}
    old = tuple(taught[probe.question] for probe in new)
    for night in (1, 2):
        ran = sealed("update", "--json", str(folder / f"night-{night}"), workspace=workspace)
        assert ran.json["ended"] == "waiting for review", ran.out + ran.err
        approved = sealed("approve", str(night), "--as", "rita", "--note", "seen", workspace=workspace)
        assert approved.code == 0, approved.err
        known = old if night == 1 else new
        assert share_right(workspace, sealed, known) >= 0.8
    rebuilt = sealed("rebuild", "--json", workspace=workspace)
    assert rebuilt.json["ended"] == "waiting for review", rebuilt.out + rebuilt.err
    assert share_right(workspace, sealed, new, "--release", "3") >= 0.8
    assert share_right(workspace, sealed, old, "--release", "3") <= 0.2
