"""MLflow behind a proxy that fails, on a real server; a share of what `benchmarks.faults.network` runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_story_ends_as_an_unbroken_one_whatever_the_network_does(tmp_path: Path) -> None:
    out = tmp_path / "network.json"
    command = [sys.executable, "-m", "benchmarks.faults.network", "--quick", "--out", str(out)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {one["name"]: one for one in json.loads(out.read_text("utf-8"))["figures"]}
    broken = figures["network faults: with a violation"]
    assert (broken["value"], broken["n"], broken["met"]) == (0, 10, True)
