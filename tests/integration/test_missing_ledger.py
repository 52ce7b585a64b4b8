"""A workspace whose ledger is gone says so, and what to do; nothing is made in its place."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.services.diagnosis import examine
from flows.services.initialisation import init_workspace

SEALED = "from flows.cli.app import main; main()"


@pytest.fixture
def workspace(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    init_workspace(folder, str(tiny_model("llama")), actor="ada").ledger.close()
    return folder


@pytest.mark.parametrize("left", [None, b""])
def test_every_verb_says_what_to_do_where_the_ledger_is_gone(workspace: Path, left: bytes | None) -> None:
    for file in workspace.glob("ledger.db*"):
        file.unlink()
    if left is not None:
        (workspace / "ledger.db").write_bytes(left)
    before = sorted(path for path in workspace.rglob("*"))
    for words in (["doctor", "--json"], ["status"], ["rollback", "--as", "grace", "--reason", "it answers badly"]):
        ran = subprocess.run(
            [sys.executable, "-c", SEALED, *words, "-w", str(workspace)], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 4, (words, ran.stdout, ran.stderr)
        assert "Traceback" not in ran.stderr
        assert "backup" in ran.stdout + ran.stderr
        if words[0] == "doctor":
            (finding,) = json.loads(ran.stdout)
            assert (finding["part"], finding["ok"]) == ("ledger", False)
    assert sorted(path for path in workspace.rglob("*")) == before
    assert left is None or (workspace / "ledger.db").read_bytes() == left


def test_doctor_says_that_it_made_a_half_made_mlflow_store_anew(workspace: Path) -> None:
    (workspace / "mlflow.db").write_bytes(b"")
    first, second = ({one.part: one for one in examine(workspace)}["MLflow"] for _ in range(2))
    assert first.ok
    assert "was half made" in first.sentence
    assert second.ok
    assert "half made" not in second.sentence
