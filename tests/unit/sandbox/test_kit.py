"""RehearsalPrompts and suites: what is examined is never rehearsed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gates.statistics import tango_lower
from pipeline.recipe import Recipe
from pipeline.sandbox.catalogue import held_out_services, rehearsed_services
from pipeline.sandbox.kit import write_kit


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kit")
    write_kit(out)
    return out


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_no_anchor_names_an_held_out_service(kit: Path) -> None:
    rehearsal_prompts = "\n".join(path.read_text(encoding="utf-8") for path in (kit / "rehearsal_prompts").iterdir())
    assert not [service.name for service in held_out_services() if service.name in rehearsal_prompts]
    assert sum(service.name in rehearsal_prompts for service in rehearsed_services()) > 100


def test_no_question_of_a_suite_stands_in_the_anchors(kit: Path) -> None:
    anchored = {row["prompt"] for path in (kit / "rehearsal_prompts").glob("*.jsonl") for row in rows(path)}
    suites = {
        path: {row.get("prompt") or row["question"] for row in rows(path)} for path in kit.rglob("suites/*/*.jsonl")
    }
    assert len(suites) == 6
    assert not [path for path, asked in suites.items() if asked & anchored]


def test_the_suites_are_large_enough_for_their_margins(kit: Path) -> None:
    rules = Recipe.read(kit / "recipe.toml").policy
    retention = rows(kit / "suites/retention/base-knowledge.jsonl")
    assert len({row["question"] for row in retention}) == len(retention) >= 400
    assert {row["group"] for row in retention} == {service.name for service in held_out_services()}
    refusals = rows(kit / "suites/safety/manners.jsonl")
    # One lost answer alone leaves no run undecided.
    assert tango_lower(0, 1, len(refusals), rules.alpha) > -rules.safety.margin
    assert sum(len(rows(path)) for path in (kit / "suites/regression").glob("*.jsonl")) >= 600


def test_the_tasks_read_local_files_beside_them(kit: Path) -> None:
    tasks = sorted((kit / "suites/regression").glob("*.yaml"))
    assert len(tasks) == 4
    for path in tasks:
        task = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert task["dataset_path"] == "json"
        assert (path.parent / task["dataset_kwargs"]["data_files"]["test"]).is_file()


def test_the_kit_is_the_same_each_time(kit: Path, tmp_path: Path) -> None:
    write_kit(tmp_path)
    files = sorted(path.relative_to(kit) for path in kit.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((kit / path).read_bytes() == (tmp_path / path).read_bytes() for path in files)


def test_the_kit_that_is_shipped_is_the_one_that_is_written(kit: Path) -> None:
    from pipeline.sandbox import model_path

    shipped = model_path() / "sealed"
    assert all(
        (shipped / path.relative_to(kit)).read_bytes() == path.read_bytes() for path in kit.rglob("*") if path.is_file()
    )
