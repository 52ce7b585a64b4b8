"""What MLflow shows of the releases: aliases, states and the epoch it last followed. Reads and writes that only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.types import Release
from registry.mlflow_client import Tracking, connect, translated

ID_TAG = "release.id"
NUMBER_TAG = "release.number"
STATE_TAG = "release.state"
EPOCH_TAG = "sealed.epoch"


@dataclass(frozen=True, kw_only=True)
class ShownVersion:
    """A version as MLflow shows it: its number, and what its tags name, if any: its state and whose version it is."""

    version: str
    state: str | None
    release: tuple[str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """All that MLflow shows. `epoch` is the deployment it last followed; None: it has followed none."""

    aliases: tuple[tuple[str, str], ...]
    versions: tuple[ShownVersion, ...]
    epoch: int | None

    def version_of(self, alias: str) -> str | None:
        return dict(self.aliases).get(alias)

    def versions_of(self, release: Release) -> tuple[str, ...]:
        """The versions whose tags name this release, the first one first."""
        mine = (release.id, str(release.number))
        return tuple(sorted((one.version for one in self.versions if one.release == mine), key=int))


def read(tracking: Tracking) -> Shown:
    """What MLflow shows now. Raises TrackingFailed."""
    client = connect(tracking)
    from mlflow.exceptions import MlflowException

    with translated(tracking):
        try:
            model = client.get_registered_model(tracking.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return Shown(aliases=(), versions=(), epoch=None)
        found = client.search_model_versions(f"name = '{tracking.model_name}'")
        versions = [_shown(str(version.version), version.tags) for version in found]
        aliases = tuple((alias, str(version)) for alias, version in sorted(model.aliases.items()))
        epoch = model.tags.get(EPOCH_TAG, "")
    return Shown(aliases=aliases, versions=tuple(versions), epoch=int(epoch) if epoch.isdigit() else None)


def _shown(version: str, tags: Mapping[str, str]) -> ShownVersion:
    return ShownVersion(version=version, state=tags.get(STATE_TAG), release=(tags.get(ID_TAG), tags.get(NUMBER_TAG)))


def point(tracking: Tracking, alias: str, version: str | None) -> None:
    """Makes an alias name `version`, or no version at all. Raises TrackingFailed."""
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
    """Notes the deployment that MLflow has followed. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking):
        client.set_registered_model_tag(tracking.model_name, EPOCH_TAG, str(epoch))
