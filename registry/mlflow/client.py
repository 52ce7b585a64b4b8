"""Opens MLflow with one error for all its failures; reads and writes the aliases and tags that show the releases.

Decides nothing: `registry.tracking` says which alias must name which version.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from pipeline import faults
from pipeline.addresses import harmless, redacted, redacted_address, secrets_of
from pipeline.errors import TrackingFailed
from registry.mlflow.embedded import whole_store
from registry.projection import EPOCH_TAG, ID_TAG, NUMBER_TAG, OUTCOME_TAG, STATE_TAG
from registry.tracking import MlflowState, MlflowVersion, Tracking


def connect(tracking: Tracking) -> MlflowClient:
    """A client with explicit addresses: none of MLflow's global state is set. Raises TrackingFailed."""
    with translated(tracking):
        return _connect(tracking.uri)


@lru_cache(maxsize=8)
def _connect(uri: str) -> MlflowClient:
    # The client's first contact writes MLflow's default experiment: within the lock, else two at once fail.
    with whole_store(uri):
        # MLflow logs a database driver's message before it raises it, and drivers put whole addresses into it.
        logging.getLogger("mlflow.store.db.utils").addFilter(_Redacting(secrets_of(uri)))
        with faults.effect("mlflow.connect"):
            return cast(MlflowClient, _Calls(MlflowClient(tracking_uri=uri, registry_uri=uri)))


@dataclass(frozen=True)
class _Calls:
    """MLflow's client with a pair of fault points around each of its methods, named after it."""

    client: MlflowClient

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        return faults.effect(f"mlflow.{name}")(method) if callable(method) else method


def download(tracking: Tracking, address: str, folder: Path) -> Path:
    """Downloads what lies at `address` in MLflow into `folder`. Raises TrackingFailed."""
    with translated(tracking), faults.effect("mlflow.download"):
        return Path(download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=tracking.uri))


def remake_half_made(tracking: Tracking) -> str:
    """Replaces an embedded store that is half made and holds nothing; returns a sentence on it, or "".

    Raises TrackingFailed.
    """
    with translated(tracking), whole_store(tracking.uri) as sentence:
        return sentence


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
    try:
        yield
    except (OSError, ImportError, RequestException, SQLAlchemyError, MlflowException) as error:
        raise TrackingFailed(_words(tracking, error)) from harmless(error, *_secrets(tracking))


def _words(tracking: Tracking, error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"MLflow at {redacted_address(tracking.uri)} failed: {redacted(first, *_secrets(tracking))[:300]}. "
        "Start it or correct tracking_uri: then `sealed doctor` makes it match the ledger, and the same command "
        "goes on where it stopped."
    )


class _Redacting(logging.Filter):
    """Takes secrets out of log records, and drops a traceback that holds one."""

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
    """The secrets of the address and of the variables that MLflow's own client reads: no error may show them."""
    own = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN"))
    return (*secrets_of(tracking.uri), *filter(None, own))


def read(tracking: Tracking) -> MlflowState:
    """What MLflow shows now. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        try:
            model = client.get_registered_model(tracking.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return MlflowState(aliases=(), versions=(), epoch=None)
        found = client.search_model_versions(f"name = '{tracking.model_name}'")
        versions = [_version(str(version.version), version.tags) for version in found]
        aliases = tuple((alias, str(version)) for alias, version in sorted(model.aliases.items()))
        epoch = model.tags.get(EPOCH_TAG, "")
    return MlflowState(
        aliases=aliases,
        versions=tuple(versions),
        epoch=int(epoch) if epoch.isdigit() else None,
        description=model.description or "",
    )


def _version(version: str, tags: Mapping[str, str]) -> MlflowVersion:
    return MlflowVersion(
        version=version,
        state=tags.get(STATE_TAG),
        release=(tags.get(ID_TAG), tags.get(NUMBER_TAG)),
        outcome=tags.get(OUTCOME_TAG),
    )


def point(tracking: Tracking, alias: str, version: str | None) -> None:
    """Sets an alias to `version`, or deletes it. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        if version is None:
            client.delete_registered_model_alias(tracking.model_name, alias)
        else:
            client.set_registered_model_alias(tracking.model_name, alias, version)


def tag_versions(tracking: Tracking, key: str, values: Sequence[tuple[str, str]]) -> None:
    """Sets the tag `key` of versions: (version, value). Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        for version, value in values:
            client.set_model_version_tag(tracking.model_name, version, key, value)


def describe(tracking: Tracking, description: str) -> None:
    """Sets what the model's page says. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        client.update_registered_model(tracking.model_name, description)


def tag_epoch(tracking: Tracking, epoch: int) -> None:
    """Records the deployment that MLflow now matches. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        client.set_registered_model_tag(tracking.model_name, EPOCH_TAG, str(epoch))
