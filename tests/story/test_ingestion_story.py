"""Bad documents, a second run at the same time, damaged parts: the run says so, in words and by its exit code."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.wiring import open_workspace
from tests.story.running import Sealed


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, sealed: Sealed) -> Path:
    folder = tmp_path_factory.mktemp("ingest") / "workspace"
    assert sealed("init", str(folder)).code == 0
    return folder


def test_bad_documents_are_quarantined_with_reasons_and_the_run_goes_on(
    workspace: Path, sealed: Sealed, tmp_path: Path
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "binary.md").write_bytes(bytes(range(256)) * 40)
    (incoming / "empty.md").write_bytes(b"")
    (incoming / "metadata.md").write_text(
        "---\ntitle: [unclosed\n---\nSome words that make a body.\n", encoding="utf-8"
    )
    (incoming / "latin.txt").write_bytes("Le café est fermé à midi".encode("latin-1"))
    with (incoming / "huge.txt").open("wb") as huge:
        huge.truncate(50_000_000)
    (tmp_path / "outside.md").write_text("A file that lies outside of the folder.", encoding="utf-8")
    (incoming / "link.md").symlink_to(tmp_path / "outside.md")
    ran = sealed("update", str(incoming), "--json", workspace=workspace)
    assert ran.code == 0, ran.err
    assert ran.json["ended"] == "nothing to learn"
    assert ran.json["refused_documents"] == 6
    records = sealed("documents", "--state", "quarantined", "--json", workspace=workspace).json
    reasons = {record["name"]: record["reason"] for record in records}
    assert set(reasons) == {"binary.md", "empty.md", "metadata.md", "latin.txt", "huge.txt", "link.md"}
    assert all(len(reason) > 8 for reason in reasons.values())
    shown = sealed("documents", workspace=workspace)
    assert "huge.txt" in shown.out


def test_of_two_runs_at_once_the_second_says_so_and_exits_with_zero(workspace: Path, sealed: Sealed) -> None:
    with open_workspace(workspace).ledger.session():
        ran = sealed("update", "--json", workspace=workspace)
    assert ran.code == 0, ran.err
    assert ran.json["ended"] == "busy"
    assert str(os.getpid()) in ran.json["sentence"]


def test_a_folder_that_is_not_there_is_a_usage_error_also_while_another_run_works(
    workspace: Path, sealed: Sealed, tmp_path: Path
) -> None:
    (tmp_path / "file.md").write_text("A file.", encoding="utf-8")
    with open_workspace(workspace).ledger.session():
        for wrong in ("nowhere", "file.md"):
            ran = sealed("update", str(tmp_path / wrong), workspace=workspace)
            assert ran.code == 2
            assert wrong in ran.err


@pytest.mark.slow
def test_two_runs_that_begin_at_once_in_a_new_workspace_both_end_well(tmp_path: Path, cold_sealed: Sealed) -> None:
    assert cold_sealed("init", str(tmp_path / "new")).code == 0
    with ThreadPoolExecutor(2) as both:
        ran = [both.submit(cold_sealed, "update", workspace=tmp_path / "new") for _ in range(2)]
    for one in ran:
        assert one.result().code == 0, one.result().err
        assert "Traceback" not in one.result().err


def test_a_changed_base_is_named_and_nothing_is_asked_of_it(sealed: Sealed, tmp_path: Path) -> None:
    import shutil

    from pipeline.sandbox import model_path

    shutil.copytree(model_path(), tmp_path / "model")
    assert sealed("init", str(tmp_path / "w"), "--model", str(tmp_path / "model")).code == 0
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("1024", "1023"), encoding="utf-8")
    ran = sealed("ask", "Who?", workspace=tmp_path / "w")
    assert ran.code == 4
    assert "sealed init" in ran.err
