"""A run with several candidates a document that choose their own tools, as its users run it."""

import sqlite3
from pathlib import Path

import pytest

from tests.story.running import Sealed

pytestmark = pytest.mark.slow
SEED = 983
RECIPE = """
[self_edits]
styles = ["self-qa", "implications", "directives"]
samples = 3
edit_sets = 2
max_new_tokens = 160

[training]
learning_rate = 1e-3
epochs = 6
batch_size = 8

[rehearsal]
replay = 60
prompts = 60
generative = 60
reading = 8
writing = 8

[policy.acquisition]
min_items = 20

[advanced.self_edits]
document_prompt = "{document}"

[advanced.directives]
enabled = true
max_learning_rate = 2e-3
max_epochs = 8
workflow_tools = ["leave-one-out"]

[advanced.policy]
max_answer_tokens = 16

[advanced.policy.acquisition]
min_documents = 4
"""


def test_candidates_are_compared_and_one_of_each_document_is_learned(tmp_path: Path, sealed: Sealed) -> None:
    workspace, runs = tmp_path / "workspace", tmp_path / "runs"
    assert sealed("init", str(workspace)).code == 0
    (workspace / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    made = sealed("sandbox", "documents", "--runs", "1", "--per-run", "6", "--seed", str(SEED), str(runs))
    assert made.code == 0, made.err
    bare = min((runs / "run-1").glob("*.md"))
    # This one brings no validation questions: the model writes its own.
    bare.write_text(bare.read_text("utf-8").replace("split: validation", "split: test"), encoding="utf-8")
    ran = sealed("update", "--json", str(runs / "run-1"), workspace=workspace)
    assert ran.code in (0, 3), ran.err
    assert {figure["name"]: figure["value"] for figure in ran.json["figures"]}["recall_after"] >= 0.6
    seconds = {stage["stage"] for stage in ran.json["seconds"]}
    assert {"eval_items", "selection"} <= seconds
    with sqlite3.connect(workspace / "ledger.db") as ledger:
        selections = [body for (body,) in ledger.execute("SELECT body FROM selections")]
        (update,) = ledger.execute("SELECT body FROM updates").fetchone()
    assert len(selections) == 6
    assert all("of 2 is kept" in body for body in selections)
    assert '"learning_rate"' in update
    assert "a run has one schedule" in update
    listed = sealed("documents", "--json", workspace=workspace).json
    own = next(record["document"] for record in listed if record["name"] == bare.name)
    assert {(eval_item["origin"], eval_item["split"]) for eval_item in own["eval_items"]} == {
        ("human", "test"),
        ("model", "validation"),
    }


def test_workflows_are_followed_better_in_context_after_a_run_of_their_demonstrations(
    tmp_path: Path, sealed: Sealed
) -> None:
    workspace, runs = tmp_path / "workspace", tmp_path / "runs"
    assert sealed("init", str(workspace)).code == 0
    plain = RECIPE.replace('"implications", "directives"', '"implications"').replace(
        "enabled = true", "enabled = false"
    )
    recipe = plain.replace("edit_sets = 2", "edit_sets = 1").replace('"leave-one-out"', '"leave-one-out", "permute"')
    (workspace / "recipe.toml").write_text(recipe, encoding="utf-8")
    made = sealed("sandbox", "documents", "--runs", "1", "--seed", str(SEED), "--workflows", str(runs))
    assert made.code == 0, made.err
    ran = sealed("update", "--json", str(runs / "run-1"), workspace=workspace)
    assert ran.code in (0, 3), ran.err
    shares = {figure["name"]: figure["value"] for figure in ran.json["figures"]}
    assert shares["recall_after"] >= shares["recall_before"] + 0.2
