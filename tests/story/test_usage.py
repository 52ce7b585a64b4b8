"""Mistakes at the command line: a sentence that says what to do, and the exit code that scripts rely on."""

from pathlib import Path

import pytest

from tests.story.running import Sealed

VERBS = (
    "init",
    "update",
    "status",
    "documents",
    "releases",
    "show",
    "ask",
    "approve",
    "reject",
    "rollback",
    "watch",
    "promote",
)


@pytest.mark.parametrize("verb", [*VERBS, "reconcile", "sandbox", "demo", "demo-real", "doctor"])
def test_every_verb_explains_itself(verb: str, cold_sealed: Sealed) -> None:
    ran = cold_sealed(verb, "--help")
    assert ran.code == 0
    assert "--help" in ran.out


def test_outside_a_workspace_it_says_how_to_make_one(tmp_path: Path, sealed: Sealed) -> None:
    ran = sealed("status", workspace=tmp_path)
    assert ran.code == 2
    assert "sealed init" in ran.err


def test_a_missing_model_leaves_nothing_half_written(tmp_path: Path, sealed: Sealed) -> None:
    ran = sealed("init", str(tmp_path / "new"), "--model", str(tmp_path / "nowhere"))
    assert ran.code == 4
    assert "nowhere" in ran.err
    assert not (tmp_path / "new").exists()


def test_an_unknown_release_is_named(tmp_path: Path, sealed: Sealed) -> None:
    assert sealed("init", str(tmp_path / "w")).code == 0
    ran = sealed("show", "7", workspace=tmp_path / "w")
    assert ran.code == 2
    assert "7" in ran.err


def test_two_poisons_at_once_are_a_usage_error(tmp_path: Path, sealed: Sealed) -> None:
    ran = sealed("sandbox", "documents", "--corrections", "--workflows", str(tmp_path / "out"))
    assert ran.code == 2


@pytest.mark.parametrize("words", [("documents", "--runs", "1", "OUT"), ("card",)])
def test_the_sandbox_speaks_json(words: tuple[str, ...], tmp_path: Path, sealed: Sealed) -> None:
    ran = sealed("sandbox", *(str(tmp_path / "out") if word == "OUT" else word for word in words), "--json")
    assert ran.code == 0
    assert ran.json


def test_a_prefect_server_that_does_not_answer_is_told_before_the_run(tmp_path: Path, sealed: Sealed) -> None:
    assert sealed("init", str(tmp_path / "w")).code == 0
    ran = sealed("update", workspace=tmp_path / "w", env={"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    assert ran.code == 4
    assert "PREFECT_API_URL" in ran.err
    assert "Traceback" not in ran.err


def test_a_mistake_in_the_recipe_is_told_before_prefect_starts(tmp_path: Path, cold_sealed: Sealed) -> None:
    assert cold_sealed("init", str(tmp_path / "w")).code == 0
    recipe = tmp_path / "w" / "recipe.toml"
    recipe.write_text(recipe.read_text("utf-8") + '\n[policy]\nrequired = ["aquisition"]\n', "utf-8")
    ran = cold_sealed("update", workspace=tmp_path / "w")
    assert ran.code == 2, ran.err
    assert "recipe.toml" in ran.err
    assert "aquisition" in ran.err
    assert not (tmp_path / "w" / "prefect").exists()


def test_into_a_pipe_an_update_tells_its_steps_on_standard_error(tmp_path: Path, cold_sealed: Sealed) -> None:
    assert cold_sealed("init", str(tmp_path / "w")).code == 0
    ran = cold_sealed("update", workspace=tmp_path / "w")
    assert ran.code == 0, ran.err
    assert "ingesting documents: begins\n" in ran.err
    assert "ingesting documents: done, 1/1" in ran.err
    assert ran.out.startswith("nothing to learn: ")
