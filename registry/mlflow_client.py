"""Opens MLflow: where it is, how long to wait for it, and one error for all its failures. Knows no release."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.addresses import harmless, redacted, redacted_address, secrets_of
from pipeline.errors import TrackingFailed
from registry.mlflow_store import whole_store

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

    uri: str = field(repr=False)
    model_name: str = "sealed"
    experiment: str = "sealed"
    artifacts: Path | None = None


def connect(tracking: Tracking) -> "MlflowClient":
    """A client with explicit addresses: none of MLflow's global state is set. Raises TrackingFailed."""
    with translated(tracking):
        return _connect(tracking.uri)


@lru_cache(maxsize=8)
def _connect(uri: str) -> "MlflowClient":
    _expect_patience()
    # The client's first contact writes MLflow's default experiment: within the lock, else two at once fail.
    with whole_store(uri):
        from mlflow import MlflowClient

        # MLflow logs what a database's driver said before it raises it; drivers tell whole addresses.
        logging.getLogger("mlflow.store.db.utils").addFilter(_Redacting(secrets_of(uri)))
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def remake_half_made(tracking: Tracking) -> str:
    """Makes anew an embedded store that is half made and holds nothing; says so, or "". Raises TrackingFailed."""
    _expect_patience()
    with translated(tracking), whole_store(tracking.uri) as sentence:
        return sentence


def _expect_patience() -> None:
    """Sets MLflow's own settings where nobody did; it reads them when it is imported and when it is called."""
    for name, value in (PATIENCE | QUIET).items():
        os.environ.setdefault(name, value)


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
    """Turns whatever MLflow, its database, the driver of that, its files or the network raise into TrackingFailed."""
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OSError, ImportError, RequestException, SQLAlchemyError) as error:
        raise TrackingFailed(_words(tracking, error)) from harmless(error, *_secrets(tracking))
    except Exception as error:
        # MlflowException is looked up only now, because importing MLflow takes a second.
        from mlflow.exceptions import MlflowException

        if not isinstance(error, MlflowException):
            raise
        raise TrackingFailed(_words(tracking, error)) from harmless(error, *_secrets(tracking))


def _words(tracking: Tracking, error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"MLflow at {redacted_address(tracking.uri)} failed: {redacted(first, *_secrets(tracking))[:300]}. "
        "Start it or mend tracking_uri: then `sealed doctor` makes it follow the ledger, and `sealed update` goes on "
        "where it stopped."
    )


class _Redacting(logging.Filter):
    """Takes secrets out of what is logged, and the traceback away where it tells one."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage(), *self._secrets), ()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and harmless(error, *self._secrets) is None:
            record.exc_info = None
        return True


def _secrets(tracking: Tracking) -> tuple[str, ...]:
    """What must stand in no error of MLflow: of its address, and of the variables that its own client reads."""
    own = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN"))
    return (*secrets_of(tracking.uri), *filter(None, own))
