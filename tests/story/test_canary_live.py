"""A good release goes to all requests on a running gateway, a bad one is rolled back, and each is said once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_a_good_release_gets_all_requests_and_a_bad_one_is_rolled_back_by_itself(tmp_path: Path) -> None:
    out = tmp_path / "canary-live.json"
    command = [sys.executable, "-m", "benchmarks.canary_live", "--quick", "--out", str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_800)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert [figure["name"] for figure in figures if figure["met"] is False] == []
    assert sum(figure["met"] is True for figure in figures) == 5
