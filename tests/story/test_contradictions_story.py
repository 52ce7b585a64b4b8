"""A policy that keeps out documents that contradict what production knows: the command line, from update to its end."""

from pathlib import Path

import pytest

from tests.story.running import Sealed

pytestmark = pytest.mark.slow


def test_false_documents_are_kept_out_untrained_and_named(sealed: Sealed, tmp_path: Path) -> None:
    workspace, documents = tmp_path / "workspace", tmp_path / "false"
    assert sealed("init", str(workspace)).code == 0
    recipe = workspace / "recipe.toml"
    required = '\n[policy]\nrequired = ["integrity", "contradictions", "acquisition"]\n'
    recipe.write_text(recipe.read_text("utf-8") + required, "utf-8")
    asked = ("--runs", "1", "--per-run", "8", "--poison", "contradictory", str(documents))
    assert sealed("sandbox", "documents", *asked).code == 0
    ran = sealed("update", "--json", str(documents / "run-1"), workspace=workspace)
    assert ran.code == 3, ran.err + ran.out
    assert ran.json["verdict"] == "FAIL"
    assert ran.json["sentence"].startswith("every document contradicts what production knows")
    records = sealed("documents", "--state", "quarantined", "--json", workspace=workspace).json
    assert len(records) == 8
    assert all("contradicts what production knows: asked “" in record["reason"] for record in records)
    assert not list((workspace / "adapters").glob("*"))
    again = sealed("update", "--json", str(documents / "run-1"), workspace=workspace)
    assert (again.code, again.json["ended"]) == (0, "nothing to learn")
