"""MLflow's embedded store is whole or not there: killed while it is made, or opened by several at once, it is well."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import TrackingFailed
from registry import Tracking
from registry.mlflow import client as mlflow_client
from registry.mlflow.client import connect, remake_half_made

OURS = (
    "from registry import Tracking; from registry.mlflow.client import connect; "
    "connect(Tracking(uri='sqlite:///{place}'))"
)
BARE = "from mlflow import MlflowClient; MlflowClient(tracking_uri='sqlite:///{place}')"
PATIENCE_SECONDS = 120


def tables(file: Path) -> int:
    """How many tables are there by now; 0 while the file is not there, or is being written."""
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def killed(code: str, place: Path, when: Callable[[], bool]) -> None:
    """Runs `code` in a process of its own and kills it as soon as `when` holds."""
    child = subprocess.Popen([sys.executable, "-c", code.format(place=place)])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not when():
        assert child.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait(60) == -signal.SIGKILL


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that MLflow itself was killed over."""
    place = tmp_path_factory.mktemp("half") / "mlflow.db"
    killed(BARE, place, lambda: tables(place) > 20)
    return place


def half_made(half: Path, folder: Path) -> Tracking:
    for suffix in ("", "-journal"):
        if (found := Path(f"{half}{suffix}")).exists():
            (folder / found.name).write_bytes(found.read_bytes())
    return Tracking(uri=f"sqlite:///{folder / half.name}", artifacts=folder / "mlartifacts")


def test_killed_while_it_is_made_it_is_not_there_and_the_next_run_makes_it(tmp_path: Path) -> None:
    place, partial = tmp_path / "mlflow.db", tmp_path / "mlflow.db.partial"
    killed(OURS, place, lambda: tables(partial) > 20)
    assert not place.exists()
    connect(Tracking(uri=f"sqlite:///{place}")).create_experiment("sealed")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_several_processes_may_open_a_fresh_store_at_once(tmp_path: Path) -> None:
    code = OURS.format(place=tmp_path / "mlflow.db")
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [child.wait(PATIENCE_SECONDS) for child in children] == [0, 0, 0]


def test_a_half_made_store_that_holds_nothing_is_made_anew_and_reported(half: Path, tmp_path: Path) -> None:
    tracking = half_made(half, tmp_path)
    assert "was half made and held nothing" in remake_half_made(tracking)
    assert remake_half_made(tracking) == ""
    assert mlflow_client.read(tracking).aliases == ()


def test_a_half_made_store_does_not_stop_the_next_run(
    half: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracking = half_made(half, tmp_path)
    assert connect(tracking).search_registered_models() == []
    assert "was half made" in caplog.text


@pytest.mark.parametrize("made", [b"", None])
def test_an_empty_file_is_a_half_made_store(tmp_path: Path, made: bytes | None) -> None:
    place = tmp_path / "mlflow.db"
    place.write_bytes(b"")
    if made is None:
        with sqlite3.connect(place) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    assert "was half made" in remake_half_made(Tracking(uri=f"sqlite:///{place}"))


def test_a_store_of_another_schema_that_holds_a_run_is_left_alone(half: Path, tmp_path: Path) -> None:
    tracking = half_made(half, tmp_path)
    place = tmp_path / half.name
    with sqlite3.connect(place) as connection:
        connection.execute("INSERT INTO runs (run_uuid, name) VALUES ('r', 'the only one')")
    before = place.read_bytes()
    for contact in (remake_half_made, connect):
        with pytest.raises(TrackingFailed, match=r"holds 1 runs.*mlflow db upgrade"):
            contact(tracking)
    assert place.read_bytes() == before


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "mlflow.db"
    place.write_bytes(b"these are notes, and no database at all" * 40)
    with pytest.raises(TrackingFailed, match="not a database"):
        remake_half_made(Tracking(uri=f"sqlite:///{place}"))
    assert place.read_bytes().startswith(b"these are notes")


def test_a_process_that_hangs_over_the_store_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr("registry.mlflow.embedded.PATIENCE_SECONDS", 0.2)
    lock = os.open(tmp_path / "mlflow.db.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(TrackingFailed, match="another process"):
        connect(Tracking(uri=f"sqlite:///{tmp_path / 'mlflow.db'}"))
    os.close(lock)
