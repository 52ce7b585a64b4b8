"""The writer is trained on documents that are not learned, is gated and approved as any release, and rolled back."""

from pathlib import Path

import pytest

from benchmarks.writer_training_parts import training_documents
from flows.wiring import open_workspace
from pipeline.documents import markdown
from pipeline.types import DocumentState, RunKind, RunState, Verdict, WriterTrainingRequest
from tests.story.running import Sealed

pytestmark = pytest.mark.slow
SEED = 51_117
RECIPE = """
[self_edits]
styles = ["self-qa", "implications"]
samples = 8
max_new_tokens = 160
passage = false

[training]
rank = 32
alpha = 32
learning_rate = 7e-4
epochs = 6

[writer_training]
rounds = 1
documents = 32
held_out = 16
samples = 8

[rehearsal]
replay = 0
prompts = 20
generative = 100
reading = 0
writing = 0
kl_weight = 5.0

[advanced.self_edits]
edit_set_batch = 2
document_prompt = "{document}"

[advanced.writer_training]
length_penalty = 0.0
learning_rate = 3e-3
epochs = 16
batch_size = 16

[advanced.policy]
max_answer_tokens = 16
"""


def write_documents(folder: Path, count: int) -> None:
    """Documents that no test asks, with every question that can be put about them as a validation question."""
    folder.mkdir()
    for index, document in enumerate(training_documents(SEED, count)):
        (folder / f"{index:02d}.md").write_text(markdown(document), encoding="utf-8")


def test_a_better_writer_is_released_as_any_update_and_teaches_nothing_else(tmp_path: Path, sealed: Sealed) -> None:
    workspace, split = tmp_path / "workspace", tmp_path / "split"
    assert sealed("init", str(workspace)).code == 0
    (workspace / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    none = sealed("train-writer", "--json", workspace=workspace)
    assert (none.code, none.json["ended"]) == (0, "nothing to learn"), none.err
    refused = sealed("train-writer", "--method", "guessing", workspace=workspace)
    assert refused.code == 2
    assert "rest-em" in refused.err
    write_documents(split, 48)
    ran = sealed("train-writer", "--json", "--documents", str(split), workspace=workspace)
    assert ran.json["ended"] == "waiting for review", ran.out + ran.err
    results = sealed("show", "1", "--json", workspace=workspace).json["report"]["results"]
    verdicts = {result["gate"]: result["verdict"] for result in results}
    required = {"integrity", "contamination", "retention", "regression", "safety", "writer_improvement"}
    assert set(verdicts) == {*required, "diversity", "serving"}
    assert {verdicts[gate] for gate in (*required, "serving")} == {"PASS"}
    shares = {figure["name"]: figure["value"] for figure in ran.json["figures"]}
    assert shares["writing_after"] > shares["writing_before"]
    ledger = open_workspace(workspace).ledger
    early, run = ledger.runs.listed()
    assert (early.kind, early.state) == (RunKind.WRITER_TRAINING, RunState.FAILED)
    assert (run.kind, run.documents) == (RunKind.WRITER_TRAINING, ())
    assert run.asked == WriterTrainingRequest(folder=str(split.resolve()))
    kept = {record.state for record in ledger.documents.listed() if record.document is not None}
    assert kept == {DocumentState.WRITER_TRAINING}
    approved = sealed("approve", "1", "--as", "rita", "--note", "it writes better", workspace=workspace)
    assert approved.code == 0, approved.err
    back = sealed("rollback", "--reason", "a drill", "--as", "omar", workspace=workspace)
    assert back.code == 0, back.err


def test_grpo_is_gated_as_any_writer_training(tmp_path: Path, sealed: Sealed) -> None:
    workspace, split = tmp_path / "workspace", tmp_path / "split"
    assert sealed("init", str(workspace)).code == 0
    small = RECIPE
    for key, value in (("documents = 32", "documents = 8"), ("held_out = 16", "held_out = 4")):
        assert key in small
        small = small.replace(key, value)
    (workspace / "recipe.toml").write_text(small, encoding="utf-8")
    write_documents(split, 12)
    ran = sealed(
        "train-writer", "--json", "--documents", str(split), "--method", "grpo", "--rounds", "2", workspace=workspace
    )
    assert (ran.code, ran.json["ended"]) == (3, "refused by the gates"), ran.out + ran.err
    ledger = open_workspace(workspace).ledger
    (run,) = ledger.runs.listed()
    assert run.asked == WriterTrainingRequest(folder=str(split.resolve()), rounds=2, method="grpo")
    results = {one.gate: one for one in ledger.reports.get(run.report or "").results}
    assert results["writer_improvement"].verdict is Verdict.INCONCLUSIVE, "so few questions decide nothing"
    assert {results[gate].verdict for gate in ("integrity", "contamination", "retention")} == {Verdict.PASS}
