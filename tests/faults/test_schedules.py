"""A release's whole story under faults, held by a judge of its own; a share of what `benchmarks.faults` runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPLAYED = "mlflow.create_model_version.after:1=lost-reply ; ledger.commit.after:1=kill ; folder.write.after:1=torn"


def faults(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.faults", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900, env=env)


@pytest.mark.slow
def test_a_share_of_the_schedules_violates_nothing_and_planted_bugs_are_caught(tmp_path: Path) -> None:
    out = tmp_path / "faults.json"
    done = faults("--quick", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VIOLATION" not in done.stdout
    assert "missed: none" in done.stdout
    assert '"met": false' not in out.read_text("utf-8")


@pytest.mark.slow
def test_a_schedule_is_replayed_as_it_was_printed() -> None:
    done = faults("--replay", REPLAYED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no violation" in done.stdout
