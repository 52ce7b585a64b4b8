"""Two promoters, and a promotion against a rollback, in processes of their own: one wins, and the rollback always."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_one_promoter_wins_and_a_rollback_wins_over_a_promotion(tmp_path: Path) -> None:
    out = tmp_path / "races.json"
    command = [sys.executable, "-m", "benchmarks.races", "--rounds", "25", "--out", str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_800)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert [figure["met"] for figure in figures[:2]] == [True, True]
