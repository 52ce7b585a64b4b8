"""A whole older copy of the ledger, put in the place of the newest one, is noticed: no signature and no chain tells."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from flows.services import diagnosis, review
from flows.wiring import Workspace
from pipeline.errors import BadDataFile, LedgerTampered
from pipeline.types import Release
from registry import HighWater, open_ledger
from tests.decisions import adopting
from tests.ledgers import KEYS, Ledger


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def workspace(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = adopting(ledger, tmp_path, monkeypatch)
    for name in ("keys", "trusted_keys"):
        monkeypatch.setattr(Workspace, name, property(lambda _: KEYS))
    for name in ("verify_bytes", "verify_files"):
        monkeypatch.setattr(Workspace, name, lambda _, release: ledger.manifest(release))
    return made


def put_back(workspace: Workspace, ledger: Ledger, copy: Path) -> Workspace:
    """The workspace with an older copy of its database."""
    ledger.close()
    for end in ("-wal", "-shm"):
        Path(f"{workspace.settings.workspace / 'ledger.db'}{end}").unlink(missing_ok=True)
    shutil.copy(copy, workspace.settings.workspace / "ledger.db")
    return replace(workspace, ledger=open_ledger(workspace.settings.database_url))


def copied(ledger: Ledger, folder: Path) -> Path:
    """A copy of the database as it is now."""
    with (
        closing(sqlite3.connect(str(ledger.database.engine.url.database))) as here,
        closing(sqlite3.connect(folder / "copy.db")) as there,
    ):
        here.backup(there)
    return folder / "copy.db"


def served(workspace: Workspace, number: int) -> Release:
    """What a load of that release checks."""
    release = workspace.ledger.releases.get(number)
    workspace.verify(release)
    return release


def test_a_ledger_that_grows_is_served_on(ledger: Ledger, workspace: Workspace) -> None:
    served(workspace, 0)
    assert not workspace.settings.ledger_mark.exists()
    for number, name in enumerate(("atlas", "borea"), 1):
        ledger.release(name)
        served(workspace, number)
    ledger.rollback()
    served(workspace, 1)
    served(workspace, 0)


def test_an_older_copy_of_the_whole_ledger_is_neither_served_nor_added_to(
    ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    """Release 2 answers badly and is rolled back; who wants it back puts back the ledger of before."""
    ledger.release("atlas")
    ledger.release("borea")
    served(workspace, 2)
    waiting = ledger.candidate("cinder")
    copy = copied(ledger, tmp_path)
    ledger.rollback()
    served(workspace, 1)
    older = put_back(workspace, ledger, copy)
    assert older.ledger.deployments.expect_unbroken(KEYS)  # it is whole in itself
    for number in (2, 0):
        with pytest.raises(LedgerTampered, match=r"is older than the one that was here: that had come to epoch 3"):
            served(older, number)
    with pytest.raises(LedgerTampered, match="this one is at epoch 2"):
        review.approve(older, waiting.number, actor="ada", note="good")
    found = diagnosis._finding("decisions", diagnosis._decisions, older)
    assert (found.ok, "is older than" in found.sentence) == (False, True)
    older.settings.ledger_mark.unlink()
    served(older, 2)
    older.ledger.close()


def test_an_older_copy_that_went_on_otherwise_is_noticed(ledger: Ledger, workspace: Workspace, tmp_path: Path) -> None:
    ledger.release("atlas")
    copy = copied(ledger, tmp_path)
    ledger.release("borea")
    served(workspace, 2)
    older = put_back(workspace, ledger, copy)
    forked = Ledger(older.ledger.database)
    forked.release("cinder")
    forked.release("delos")
    with pytest.raises(LedgerTampered, match="tells another story than the one that was here"):
        served(older, 3)
    older.ledger.close()


def test_a_mark_that_cannot_be_read_or_kept_says_so(
    ledger: Ledger, workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.release("atlas")
    workspace.settings.ledger_mark.write_text("{", encoding="utf-8")
    with pytest.raises(BadDataFile, match="remove it if the ledger is the newest"):
        served(workspace, 1)
    nowhere = HighWater(Path("/proc/nowhere/mark.json"), ledger.database)
    nowhere.expect_reached()
    nowhere.note()
    assert "cannot be kept" in caplog.text
