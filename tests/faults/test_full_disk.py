"""A file may grow no further, as on a full disk: at intake, at the adapter, in MLflow. With room again it ends well."""

import resource
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.faults import fleet, schedules, world
from benchmarks.faults.facts import of_workspace
from benchmarks.faults.schedules import Ending, Schedule, Stage
from pipeline.engines.base import BaseModel, load_base
from pipeline.sandbox import model_path

UNBROKEN = Schedule(("",))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    scratch = tmp_path_factory.mktemp("full")
    base = load_base(str(model_path()), device="cpu")
    fleet.forked(partial(world.make_template, scratch / "template", base), scratch)
    made = Stage(scratch / "template", scratch, base)
    return replace(made, expected=schedules.run(made, UNBROKEN).state)


def full_at(most: int, folder: Path, base: BaseModel) -> None:
    """The story, where no file may be larger than `most` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    world.go_on(folder, base)


def sizes(template: Path) -> list[int]:
    """Limits at which the ledger, the adapter and MLflow's store fail, each at its first new page."""
    (weights,) = template.glob("adapters/*/adapter_model.safetensors")
    places = (weights, template / "ledger.db", template / "mlflow.db")
    return sorted({65_536, weights.stat().st_size - 1, *(place.stat().st_size for place in places)})


@pytest.mark.slow
def test_a_disk_that_is_full_anywhere_loses_nothing(stage: Stage) -> None:
    failed = 0
    for most in sizes(stage.template):
        ending = Ending(UNBROKEN)
        folder = schedules.copied(stage)
        limited = replace(stage, story=partial(full_at, most))
        after, done = schedules.judged(limited, folder, "", of_workspace(folder), ending)
        failed += not done
        if not done and not ending.violations:
            schedules.go_on_until_quiet(stage, folder, after, ending)
        assert ending.violations == [], most
    assert failed >= 3
