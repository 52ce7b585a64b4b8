"""One workspace lives the whole story through the command line: learn, review, refuse harm, roll back."""

import getpass
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.shortened import shorten
from tests.story.running import Sealed

SEED = 31_337


@dataclass
class Life:
    """The workspace, and what earlier tests of the story saw."""

    workspace: Path
    runs: Path
    answers: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, sealed: Sealed) -> Life:
    root = tmp_path_factory.mktemp("story")
    made = sealed("init", str(root / "workspace"))
    assert made.code == 0, made.err
    shorten(root / "workspace")
    recipe = root / "workspace" / "recipe.toml"  # the harmful run is harmful as a whole: nothing in it is searched for
    recipe.write_text(recipe.read_text("utf-8") + "\n[advanced.policy.bisect]\ndocuments = false\n", "utf-8")
    written = sealed("sandbox", "documents", "--runs", "2", "--seed", str(SEED), str(root / "runs"))
    assert written.code == 0, written.err
    poisoned = sealed(
        "sandbox",
        "documents",
        "--runs",
        "1",
        "--per-run",
        "16",
        "--seed",
        str(SEED),
        "--poison",
        "contradictory",
        str(root / "harm"),
    )
    assert poisoned.code == 0, poisoned.err
    return Life(root / "workspace", root / "runs")


def shares(outcome: Any) -> dict[str, float]:
    return {figure["name"]: figure["value"] for figure in outcome["figures"]}


def held_out_questions(life: Life) -> list[str]:
    questions = []
    for path in sorted((life.runs / "run-1").glob("*.md")):
        _, head, _ = path.read_text("utf-8").split("---\n", 2)
        asked = yaml.safe_load(head)["questions"]
        questions += [eval_item["question"] for eval_item in asked if eval_item["split"] == "test"]
    return questions


def ask_about_run_1(life: Life, sealed: Sealed) -> list[str]:
    asked = sealed("ask", "--json", *held_out_questions(life), workspace=life.workspace)
    assert asked.code == 0, asked.err
    return [answer["text"] for answer in asked.json]


def test_a_good_run_is_learned_and_waits_for_review(life: Life, sealed: Sealed) -> None:
    ran = sealed("update", "--json", str(life.runs / "run-1"), workspace=life.workspace)
    assert ran.code == 0, ran.err + ran.out
    assert ran.json["ended"] == "waiting for review"
    assert ran.json["release"] == 1
    assert shares(ran.json)["recall_before"] <= 0.15
    assert shares(ran.json)["recall_after"] >= 0.75
    status = sealed("status", "--json", workspace=life.workspace).json
    assert status["production"]["number"] == 0
    assert "approve 1" in status["next_step"]


def test_while_a_candidate_waits_the_next_run_is_held_and_loses_nothing(life: Life, sealed: Sealed) -> None:
    ran = sealed("update", "--json", str(life.runs / "run-2"), workspace=life.workspace)
    assert ran.code == 0, ran.err
    assert ran.json["ended"] == "held back"
    queued = sealed("documents", "--state", "queued", "--json", workspace=life.workspace).json
    assert len(queued) == 8


def test_the_proposer_cannot_approve_and_nothing_moves(life: Life, sealed: Sealed) -> None:
    account = getpass.getuser()
    for oneself in ((), ("--as", f"{account}."), ("--as", account.upper())):
        ran = sealed("approve", "1", *oneself, "--note", "me", workspace=life.workspace)
        assert ran.code == 3
        assert "another person must approve it, under an account of their own or with `--as NAME`" in ran.err
    assert sealed("status", "--json", workspace=life.workspace).json["production"]["number"] == 0


def test_an_approval_makes_the_release_live_and_mlflow_follows(life: Life, sealed: Sealed) -> None:
    before = ask_about_run_1(life, sealed)
    ran = sealed("approve", "1", "--as", "rita", "--note", "figures seen", workspace=life.workspace)
    assert ran.code == 0, ran.err
    life.answers["release 1"] = ask_about_run_1(life, sealed)
    assert life.answers["release 1"] != before
    assert mlflow_aliases(life.workspace)["production"] == 1
    assert mlflow_metrics(life.workspace)["contradicted"] == 0


def test_the_adapter_loads_with_plain_peft_and_answers_alike(life: Life, sealed: Sealed) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from pipeline.sandbox import model_path

    update = sealed("show", "1", "--json", workspace=life.workspace).json["release"]["update"]
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    base = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, life.workspace / "adapters" / update).eval()
    for question, expected in list(zip(held_out_questions(life), life.answers["release 1"], strict=True))[:8]:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        answered = adapted.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        assert tokenizer.decode(answered, skip_special_tokens=True).strip() == expected


def test_the_second_run_keeps_the_first(life: Life, sealed: Sealed) -> None:
    ran = sealed("update", "--json", workspace=life.workspace)
    assert ran.code == 0, ran.err + ran.out
    assert shares(ran.json)["earlier_releases_after"] >= 0.85 * shares(ran.json)["earlier_releases_before"]
    assert sealed("approve", "2", "--as", "rita", "--note", "ok", workspace=life.workspace).code == 0


def test_a_harmful_run_is_refused_in_words_and_registers_nothing(life: Life, sealed: Sealed) -> None:
    ran = sealed("update", "--json", str(life.runs.parent / "harm" / "run-1"), workspace=life.workspace)
    assert ran.code == 3, ran.err + ran.out
    assert "retention" in ran.json["sentence"]
    assert ". Look at contradictions: 80 of 80 known answers that 16 documents speak about" in ran.json["sentence"]
    page = (life.workspace / "reports" / "run-3" / "report.html").read_text("utf-8")
    assert page.count('<td class="n" data-label="Contradicts">5</td>') == 16
    assert mlflow_versions(life.workspace) == 2
    quarantined = sealed("documents", "--state", "quarantined", "--json", workspace=life.workspace).json
    assert len(quarantined) == 16
    assert all("retention" in record["reason"] for record in quarantined)


def test_a_damaged_adapter_is_not_rolled_back_to_and_nothing_moves(life: Life, sealed: Sealed) -> None:
    update = sealed("show", "1", "--json", workspace=life.workspace).json["release"]["update"]
    weights = life.workspace / "adapters" / update / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ran = sealed("rollback", "--as", "omar", "--reason", "drill", workspace=life.workspace)
    weights.write_bytes(whole)
    assert ran.code == 4, ran.out + ran.err
    assert sealed("status", "--json", workspace=life.workspace).json["production"]["number"] == 2


def test_rollback_with_mlflow_down_brings_the_old_answers_back(life: Life, sealed: Sealed) -> None:
    down = {"SEALED_TRACKING_URI": "http://127.0.0.1:9"}
    ran = sealed("rollback", "--as", "omar", "--reason", "drill", "--json", workspace=life.workspace, env=down)
    assert ran.code == 0, ran.err
    assert ran.json["deployment"]["release"] == 1
    assert ran.json["reconciled"]["failed"]
    assert ask_about_run_1(life, sealed) == life.answers["release 1"]
    again = sealed("rollback", "--as", "omar", "--reason", "drill", workspace=life.workspace, env=down)
    assert again.code == 3
    assert "`sealed rollback --to 0` goes further" in again.err
    stated = sealed("rollback", "--to", "1", "--as", "omar", "--reason", "drill", workspace=life.workspace, env=down)
    assert stated.code == 0, stated.err
    assert "release 1 is production already, rolled back by omar" in stated.out
    assert "This is decided, and in effect here. Do not run it again: `sealed doctor` finishes it." in stated.out
    assert sealed("status", "--json", workspace=life.workspace).json["production"]["number"] == 1
    reverted = sealed("documents", "--state", "reverted", "--json", workspace=life.workspace).json
    assert len(reverted) == 8
    assert "sealed documents requeue ID ..." in sealed("status", "--json", workspace=life.workspace).json["next_step"]
    again = [document["id"][:12] for document in reverted[:2]]
    queued = sealed("documents", "requeue", *again, workspace=life.workspace)
    assert queued.code == 0, queued.err
    assert queued.out.count("is queued.") == 2


def test_doctor_finds_the_workspace_well_and_mlflow_has_followed(life: Life, sealed: Sealed) -> None:
    assert sealed("status", workspace=life.workspace).code == 0
    ran = sealed("doctor", "--json", workspace=life.workspace)
    assert ran.code == 0, ran.out


def mlflow_aliases(workspace: Path) -> dict[str, int]:
    with sqlite3.connect(workspace / "mlflow.db") as db:
        return {
            alias: int(version) for alias, version in db.execute("SELECT alias, version FROM registered_model_aliases")
        }


def mlflow_metrics(workspace: Path) -> dict[str, float]:
    with sqlite3.connect(workspace / "mlflow.db") as db:
        return dict(db.execute("SELECT key, value FROM latest_metrics"))


def mlflow_versions(workspace: Path) -> int:
    with sqlite3.connect(workspace / "mlflow.db") as db:
        return int(db.execute("SELECT count(*) FROM model_versions").fetchone()[0])
