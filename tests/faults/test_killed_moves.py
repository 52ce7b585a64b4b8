"""A promotion, a rollback and a rejection are killed with SIGKILL between their writes: all of it holds, or none."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import registry
from pipeline.types import DocumentState, ReleaseState
from registry import create_ledger, open_ledger
from tests.ledgers import Ledger, document, with_base_release

KILLED_AFTER = """
import importlib, os, signal, sys
from registry import open_ledger
from tests.ledgers import Ledger
module, name = sys.argv[2].rsplit(".", 1)
room = importlib.import_module(f"registry.store.{module}")
whole = getattr(room, name)
def deadly(*args):
    whole(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, name, deadly)
ledger = Ledger(open_ledger(sys.argv[1]).database)
"""
PROMOTE = "ledger.promote(2)"
ROLL_BACK = "ledger.rollback()"
REJECT = "ledger.reject(2)"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with release 1 live and release 2 waiting for review."""
    file = tmp_path_factory.mktemp("pristine") / "ledger.db"
    ledger = with_base_release(create_ledger(f"sqlite:///{file}"))
    ledger.release("atlas")
    ledger.candidate("borea")
    ledger.close()
    return file


def everything(ledger: registry.Ledger) -> tuple[object, ...]:
    return (
        ledger.releases.listed(),
        ledger.deployments.listed(),
        ledger.releases.approvals(2),
        ledger.releases.history(2),
        ledger.documents.listed(),
        ledger.runs.listed(),
    )


@pytest.mark.parametrize(
    ("move", "step"),
    [
        (PROMOTE, "journal.add_approval"),
        (PROMOTE, "moves.deploy"),
        (PROMOTE, "journal.add_transition"),
        (PROMOTE, "moves.apply"),
        (PROMOTE, "moves.mark_learned"),
        (ROLL_BACK, "journal.add_transition"),
        (ROLL_BACK, "moves.revert"),
        (REJECT, "moves.apply"),
    ],
)
def test_a_killed_move_leaves_nothing_and_can_be_made_again(
    pristine: Path, tmp_path: Path, move: str, step: str
) -> None:
    url = f"sqlite:///{shutil.copy(pristine, tmp_path / 'ledger.db')}"
    ledger = Ledger(open_ledger(url).database)
    before = everything(ledger)
    child = subprocess.run([sys.executable, "-c", KILLED_AFTER + move, url, step], check=False, env=dict(os.environ))
    assert child.returncode == -signal.SIGKILL
    assert everything(ledger) == before
    ledger.promote(2)
    ledger.rollback()
    assert ledger.releases.get(2).state is ReleaseState.ROLLED_BACK
    assert ledger.documents.get(document("borea").id).state is DocumentState.REVERTED
    ledger.close()
