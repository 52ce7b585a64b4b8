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
from tests.ledgers import Ledger, document, trusting, with_base_release

KILLED_AFTER = """
import os, signal, sys
from registry import deploy, open_ledger
whole = getattr(deploy, sys.argv[2])
def deadly(*args):
    whole(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(deploy, sys.argv[2], deadly)
ledger = open_ledger(sys.argv[1])
"""
PROMOTE = "ledger.deployments.promote(ledger.deployments.approve(2, actor='ada'), verify=id)"
ROLL_BACK = "ledger.deployments.rollback(None, actor='grace', reason='bad', verify=id)"
REJECT = "ledger.deployments.reject(2, actor='ada', reason='bad')"


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
        ledger.documents.listed(),
        ledger.runs.listed(),
    )


@pytest.mark.parametrize(
    ("move", "step"),
    [(PROMOTE, "_deploy"), (PROMOTE, "_move"), (PROMOTE, "_mark_learned"), (ROLL_BACK, "_revert"), (REJECT, "_move")],
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
    ledger.deployments.promote(ledger.deployments.approve(2, actor="ada"), verify=trusting)
    ledger.rollback()
    assert ledger.releases.get(2).state is ReleaseState.ROLLED_BACK
    assert ledger.documents.get(document("borea").id).state is DocumentState.REVERTED
    ledger.close()
