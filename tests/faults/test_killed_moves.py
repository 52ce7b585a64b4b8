"""A promotion, a rollback and a rejection are killed with SIGKILL between their writes: all of it holds, or none."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.types import DocumentState, ReleaseState
from registry import deploy
from registry.store import Store, create_store, documents, open_store, releases, runs
from tests.ledgers import Ledger, document, founded, trusting

KILLED_AFTER = """
import os, signal, sys
from registry import deploy
from registry.store import open_store
whole = getattr(deploy, sys.argv[2])
def deadly(*args):
    whole(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(deploy, sys.argv[2], deadly)
store = open_store(sys.argv[1])
"""
PROMOTE = "deploy.promote(store, deploy.approve(store, 2, actor='ada'), verify=id)"
ROLL_BACK = "deploy.rollback(store, None, actor='grace', reason='bad', verify=id)"
REJECT = "deploy.reject(store, 2, actor='ada', reason='bad')"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with release 1 live and release 2 waiting for review."""
    file = tmp_path_factory.mktemp("pristine") / "ledger.db"
    ledger = founded(create_store(f"sqlite:///{file}"))
    ledger.release("atlas")
    ledger.candidate("borea")
    ledger.store.close()
    return file


def everything(store: Store) -> tuple[object, ...]:
    return (
        releases.listed(store),
        releases.deployments(store),
        releases.approvals(store, 2),
        documents.listed(store),
        runs.listed(store),
    )


@pytest.mark.parametrize(
    ("move", "step"),
    [(PROMOTE, "_deploy"), (PROMOTE, "_move"), (PROMOTE, "_teach"), (ROLL_BACK, "_revert"), (REJECT, "_move")],
)
def test_a_killed_move_leaves_nothing_and_can_be_made_again(
    pristine: Path, tmp_path: Path, move: str, step: str
) -> None:
    url = f"sqlite:///{shutil.copy(pristine, tmp_path / 'ledger.db')}"
    store = open_store(url)
    before = everything(store)
    child = subprocess.run([sys.executable, "-c", KILLED_AFTER + move, url, step], check=False, env=dict(os.environ))
    assert child.returncode == -signal.SIGKILL
    assert everything(store) == before
    deploy.promote(store, deploy.approve(store, 2, actor="ada"), verify=trusting)
    Ledger(store).rollback()
    assert releases.get(store, 2).state is ReleaseState.ROLLED_BACK
    assert documents.get(store, document("borea").id).state is DocumentState.REVERTED
    store.close()
