"""A correction changes what the model knew: the new answer is given from then on, also by a rebuilt model."""

import shutil
from pathlib import Path

import pytest

from benchmarks.shortened import shorten
from gates.evidence import exam_probes
from pipeline.grading import grade
from pipeline.sandbox.documents import night_documents
from pipeline.types import Probe
from tests.story.running import Sealed

pytestmark = pytest.mark.slow
SEED = 51_217


def share_right(workspace: Path, sealed: Sealed, probes: tuple[Probe, ...], *options: str) -> float:
    asked = sealed("ask", "--json", *options, *[probe.question for probe in probes], workspace=workspace)
    assert asked.code == 0, asked.err
    return sum(grade(one["text"], probe.answers) for one, probe in zip(asked.json, probes, strict=True)) / len(probes)


def test_a_correction_is_answered_anew_and_a_rebuild_does_not_bring_the_old_answer_back(
    tmp_path: Path, sealed: Sealed
) -> None:
    workspace, folder = tmp_path / "workspace", tmp_path / "nights"
    assert sealed("init", str(workspace)).code == 0
    shorten(workspace)
    for kind, options in (("new", ()), ("corrections", ("--corrections",))):
        made = sealed("sandbox", "documents", "--per-night", "8", "--seed", str(SEED), *options, str(folder / kind))
        assert made.code == 0, made.err
    for file in (folder / "corrections" / "night-1").iterdir():
        shutil.copy(file, folder / "new" / "night-1" / f"correction-{file.name}")
    changed = exam_probes(night_documents(1, 8, SEED, "corrections"))
    assert share_right(workspace, sealed, changed) == 0.0
    ran = sealed("update", "--json", str(folder / "new" / "night-1"), workspace=workspace)
    assert ran.json["ended"] == "waiting for review", ran.out + ran.err
    shown = sealed("show", "1", "--json", workspace=workspace).json["report"]["results"]
    assert {one["gate"]: one["verdict"] for one in shown}["corrections"] == "PASS"
    assert sealed("approve", "1", "--as", "rita", "--note", "seen", workspace=workspace).code == 0
    assert share_right(workspace, sealed, changed) >= 0.9
    rebuilt = sealed("rebuild", "--json", workspace=workspace)
    assert rebuilt.json["ended"] == "waiting for review", rebuilt.out + rebuilt.err
    assert share_right(workspace, sealed, changed, "--release", "2") >= 0.9
