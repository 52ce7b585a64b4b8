"""Reads and writes the aliases and tags by which MLflow shows the releases, and the epoch that they match."""

from collections.abc import Mapping, Sequence

from mlflow.exceptions import MlflowException

from registry.mlflow.client import connect, translated
from registry.tracking import MlflowState, MlflowVersion, Tracking

ID_TAG = "release.id"
NUMBER_TAG = "release.number"
STATE_TAG = "release.state"
EPOCH_TAG = "sealed.epoch"


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
    return MlflowState(aliases=aliases, versions=tuple(versions), epoch=int(epoch) if epoch.isdigit() else None)


def _version(version: str, tags: Mapping[str, str]) -> MlflowVersion:
    return MlflowVersion(version=version, state=tags.get(STATE_TAG), release=(tags.get(ID_TAG), tags.get(NUMBER_TAG)))


def point(tracking: Tracking, alias: str, version: str | None) -> None:
    """Sets an alias to `version`, or deletes it. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        if version is None:
            client.delete_registered_model_alias(tracking.model_name, alias)
        else:
            client.set_registered_model_alias(tracking.model_name, alias, version)


def tag_states(tracking: Tracking, states: Sequence[tuple[str, str]]) -> None:
    """Tags versions with their release's state: (version, state). Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        for version, state in states:
            client.set_model_version_tag(tracking.model_name, version, STATE_TAG, state)


def tag_epoch(tracking: Tracking, epoch: int) -> None:
    """Records the deployment that MLflow now matches. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        client.set_registered_model_tag(tracking.model_name, EPOCH_TAG, str(epoch))
