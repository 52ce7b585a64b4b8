"""Opens MLflow: where it is, how long to wait for it, and one error for all its failures. Knows no release."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.addresses import shown
from pipeline.errors import TrackingFailed

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The client's own defaults retry for ten minutes; nobody waits that long for a rollback.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where MLflow is. `artifacts` is where a new experiment keeps its files; None leaves that to the server."""

    uri: str
    model_name: str = "sealed"
    experiment: str = "sealed"
    artifacts: Path | None = None


def connect(tracking: Tracking) -> "MlflowClient":
    """A client with explicit addresses: none of MLflow's global state is set. Raises TrackingFailed."""
    with translated(tracking):
        return _connect(tracking.uri)


@lru_cache(maxsize=8)
def _connect(uri: str) -> "MlflowClient":
    for name, value in (PATIENCE | QUIET).items():
        os.environ.setdefault(name, value)
    _expect_folder(uri)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _expect_folder(uri: str) -> None:
    """A SQLite file that cannot be made is retried by MLflow for minutes: say so at once."""
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).parent.is_dir():
        raise FileNotFoundError(f"the folder of {uri.removeprefix('sqlite:///')} does not exist")


@contextmanager
def addressed(tracking: Tracking) -> Iterator[None]:
    """For the one call in which MLflow's database store asks its global address for a logged model (seen in 3.17.2)."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = tracking.uri
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextmanager
def translated(tracking: Tracking) -> Iterator[None]:
    """Turns whatever MLflow, its database, its files or the network raise into TrackingFailed."""
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OSError, RequestException, SQLAlchemyError) as error:
        raise TrackingFailed(_words(tracking, error)) from error
    except Exception as error:
        # MlflowException is looked up only now, because importing MLflow takes a second.
        from mlflow.exceptions import MlflowException

        if not isinstance(error, MlflowException):
            raise
        raise TrackingFailed(_words(tracking, error)) from error


def _words(tracking: Tracking, error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"MLflow at {shown(tracking.uri)} failed: {shown(first)[:300]}. Start it or mend tracking_uri, then run the "
        "command again: the ledger knows where it stopped."
    )
