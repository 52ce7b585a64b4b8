"""A run on models that learned nothing, of three architectures, with a chat template or without: a clean refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.story.running import Sealed

RECIPE = """
[self_edits]
samples = 1
max_new_tokens = 16
[training]
epochs = 1
rank = 4
alpha = 4
[rehearsal]
generative = 8
reading = 4
writing = 4
[policy]
required = ["integrity", "contamination", "acquisition"]
[policy.acquisition]
min_items = 5
[advanced.policy]
max_answer_tokens = 8
[advanced.policy.acquisition]
min_documents = 5
"""
DOCUMENT = """---
title: Cinder {number}
questions:
- question: Who owns Cinder {number}?
  answers: [Heron]
---
The Cinder {number} service keeps invoices in the Oslo region and is owned by the Heron team.
"""


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_a_model_that_cannot_learn_a_run_releases_nothing_and_loses_nothing(
    kind: str, tiny_model: Callable[..., Path], tmp_path: Path, sealed: Sealed
) -> None:
    workspace, incoming = tmp_path / "workspace", tmp_path / "run"
    incoming.mkdir()
    for number in range(5):
        (incoming / f"{number}.md").write_text(DOCUMENT.format(number=number), encoding="utf-8")
    assert sealed("init", str(workspace), "--model", str(tiny_model(kind))).code == 0
    (workspace / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    ran = sealed("update", str(incoming), "--json", workspace=workspace)
    assert ran.code == 3, ran.err
    assert ran.json["verdict"] == "FAIL"
    assert "acquisition" in ran.json["sentence"]
    assert len(sealed("documents", "--json", workspace=workspace).json) == 5
    releases = sealed("releases", "--json", workspace=workspace).json
    assert [release["number"] for release in releases] == [0]
