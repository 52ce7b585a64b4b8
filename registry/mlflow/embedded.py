"""Makes MLflow's embedded SQLite store: complete before anyone opens it, by one process at a time. Knows no release.

MLflow creates its file with dozens of migrations in separate transactions: a process killed meanwhile leaves a store
that MLflow can neither use nor finish, and two processes at once stop each other. So the store is made under another
name and renamed into place when it is complete. MLflow's private functions decide whether it is (seen in 3.17.2).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils
from sqlalchemy import Engine, Select, func, inspect, make_url, select, table

from pipeline import faults
from pipeline.errors import TrackingFailed
from pipeline.files import move

log = logging.getLogger("sealed")

# To make a store takes seconds; who waits longer waits for a process that hangs.
PATIENCE_SECONDS = 120.0

# A store without a row in any of these may be made anew.
_HELD = ("runs", "model_versions", "logged_models", "trace_info")
_BESIDE = ("-journal", "-wal", "-shm")


@contextmanager
def whole_store(uri: str) -> Iterator[str]:
    """Within this block the embedded store at `uri` is whole, and no other process of ours makes or first opens it.

    Gives a sentence on what was remade, or "". Does nothing for an MLflow that is no SQLite file. Raises
    FileNotFoundError where there is no folder for it; TrackingFailed where the store is half made and yet holds
    something, or where another process does not come to an end with it.
    """
    place = _place(uri)
    if place is None:
        yield ""
        return
    if not place.parent.is_dir():
        # MLflow would retry for minutes.
        raise FileNotFoundError(f"the folder of {place} does not exist")
    try:
        with FileLock(f"{place}.lock", timeout=PATIENCE_SECONDS):
            yield _made_whole(place)
    except Timeout as error:
        raise TrackingFailed(
            f"another process has held {place}.lock for {PATIENCE_SECONDS:.0f} s while it opened the MLflow store. "
            "End it, then run the command again."
        ) from error


def _place(uri: str) -> Path | None:
    if not uri.startswith("sqlite:"):
        return None
    file = make_url(uri).database
    return Path(file).absolute() if file and file != ":memory:" else None


def _made_whole(place: Path) -> str:
    if not place.exists():
        _make(place)
        return ""
    held = _held_by_half(place)
    if held is None:
        return ""
    if held:
        raise TrackingFailed(
            f"the MLflow store {place} is not of this MLflow's schema, and holds {held}. Back it up, then bring it up "
            f"with `mlflow db upgrade sqlite:///{place}`."
        )
    _make(place)
    sentence = f"the MLflow store {place} was half made and held nothing: it was made anew"
    log.warning("%s", sentence)
    return sentence


def _held_by_half(place: Path) -> str | None:
    """None for a whole store; else what a half-made one holds, in words, "" for nothing."""
    with _opened(place) as engine:
        if utils._all_tables_exist(engine):
            try:
                utils._verify_schema(engine)
                return None
            except MlflowException:
                log.debug("%s is not of the newest schema", place)
        there = [name for name in _HELD if inspect(engine).has_table(name)]
        with engine.connect() as connection:
            counts = {name: connection.execute(_count(name)).scalar_one() for name in there}
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def _count(name: str) -> Select[tuple[int]]:
    return select(func.count()).select_from(table(name))


def _make(place: Path) -> None:
    """Makes a whole store and puts it in place. Only under the lock, which is what frees the other name for it."""
    partial = place.with_name(f"{place.name}.partial")
    _remove(partial)
    with faults.effect("mlflow.make-store"), _opened(partial) as engine:
        utils._initialize_tables(engine)
        utils._verify_schema(engine)
    # The journal of a killed process would be rolled back into the new file.
    _remove(place)
    move(partial, place)


def _remove(file: Path) -> None:
    """Removes a database, and after it what SQLite keeps beside it."""
    for suffix in ("", *_BESIDE):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


@contextmanager
def _opened(file: Path) -> Iterator[Engine]:
    """MLflow's engine for a file. Closed at the end, so that none of its connections outlives a rename."""
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{file}")
    try:
        yield engine
    finally:
        engine.dispose()
