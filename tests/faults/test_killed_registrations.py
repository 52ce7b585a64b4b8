"""A registration is killed with SIGKILL at every step; run again, MLflow holds the release exactly once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = (
    "intend:1",
    "create_experiment:1",
    "create_run:1",
    "log_batch:1",
    "create_logged_model:1",
    "log_model_artifacts:1",
    "log_model_artifacts:2",
    "log_metric:1",
    "log_metric:2",
    "set_terminated:1",
    "finalize_logged_model:1",
    "create_registered_model:1",
    "create_model_version:1",
    "record:1",
)
EVERY = (*(f"{when}:{step}" for step in STEPS for when in ("before", "after")), "halfway:log_model_artifacts:1")
WORST = ("halfway:log_model_artifacts:1", "after:create_model_version:1", "before:record:1")


def hold(folder: Path, points: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "tests.faults.registration", str(folder), *points]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    endings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["point"] for one in endings] == list(points)
    sound = {
        "killed": True,
        "versions": ["1"],
        "recorded": "1",
        "release": "candidate",
        "run": "waiting",
        "runs": 1,
        "logged_models": 1,
        "metric_points": 1,
        "releases": 2,
    }
    assert endings == [{"point": point, **sound} for point in points]


def test_a_registration_killed_at_its_worst_moments_leaves_one_version(tmp_path: Path) -> None:
    hold(tmp_path, WORST)


@pytest.mark.slow
def test_a_registration_killed_at_any_step_leaves_one_version(tmp_path: Path) -> None:
    hold(tmp_path, EVERY)
