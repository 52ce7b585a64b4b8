"""Puts a release into MLflow as one run, one logged model and one registered version, whatever happens on the way.

MLflow's client repeats requests, so each step first searches for what an earlier try made for the release. Without
that, 24 of 64 kill schedules left a second version. Knows no ledger: the caller records the returned version.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel, Param, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.digests import digest_file
from pipeline.errors import TrackingFailed
from pipeline.types import Figure, Release
from registry.mlflow.aliases import ID_TAG, NUMBER_TAG
from registry.mlflow.client import addressed, connect, translated
from registry.tracking import Tracking

# MLflow's column for a version's description.
DESCRIPTION = 5000
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Registration:
    """All that MLflow gets about a release. `report` is a folder of files to look at; `description` is Markdown."""

    release: Release
    adapter: Path
    report: Path | None = None
    metrics: tuple[Figure, ...] = ()
    params: Pairs = ()
    tags: Pairs = ()
    description: str = ""


def register(tracking: Tracking, registration: Registration) -> str:
    """Registers the release and returns its version: exactly one, also after kills and lost replies.

    Downloads what MLflow holds and compares every digest before it says so. Raises TrackingFailed.
    """
    client = connect(tracking)
    with translated(tracking):
        version = _version(client, tracking, registration.release)
        if version is None:
            experiment = _experiment(client, tracking)
            run = _run(client, experiment, registration)
            model = _logged_model(client, tracking, experiment, run, registration)
            version = _create_version(client, tracking, model, run, registration)
        number = str(version.version)
        _expect_stored(tracking, client.get_model_version_download_uri(tracking.model_name, number), registration)
        _link(client, tracking, version)
        return number


def identity_tags(release: Release) -> dict[str, str]:
    """The tags by which a release is found again in MLflow, on its run, its logged model and its version."""
    return {ID_TAG: release.id, NUMBER_TAG: str(release.number)}


def _is_of(tags: Mapping[str, str], release: Release) -> bool:
    return identity_tags(release).items() <= tags.items()


def _filter(release: Release) -> str:
    return f"tags.`{ID_TAG}` = '{release.id}'"


def _version(client: MlflowClient, tracking: Tracking, release: Release) -> ModelVersion | None:
    """The release's version; a repeated request's later ones are deleted."""
    found = [
        version
        for version in client.search_model_versions(_filter(release))
        if version.name == tracking.model_name and _is_of(version.tags, release)
    ]
    first, *repeated = sorted(found, key=lambda version: int(version.version)) or [None]
    for version in repeated:
        client.delete_model_version(tracking.model_name, version.version)
    return first


def _experiment(client: MlflowClient, tracking: Tracking) -> str:
    """The experiment of that name; in a copied database, whose own keeps its files in the original, one beside it."""
    location, name = tracking.artifacts.resolve().as_uri() if tracking.artifacts else None, tracking.experiment
    found = client.get_experiment_by_name(name)
    if found is not None and location is not None and found.artifact_location != location:
        name = f"{name} in {location}"
        found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=location))
    if found.lifecycle_stage != "active":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _run(client: MlflowClient, experiment: str, registration: Registration) -> Run:
    """The release's run with its parameters; metrics are added when the logged model exists."""
    release = registration.release
    found = [run for run in client.search_runs([experiment], _filter(release)) if _is_of(run.data.tags, release)]
    run = found[0] if found else None
    if run is None:
        tags = identity_tags(release) | dict(registration.tags)
        run = client.create_run(experiment, tags=tags, run_name=f"release {release.number}")
    params = [Param(_key(name), value) for name, value in registration.params]
    client.log_batch(run.info.run_id, params=params)
    return run


def _logged_model(
    client: MlflowClient, tracking: Tracking, experiment: str, run: Run, registration: Registration
) -> LoggedModel:
    """The release's finished logged model; those that a kill left unfinished are deleted."""
    release = registration.release
    for model in client.search_logged_models([experiment], filter_string=_filter(release)):
        if not _is_of(model.tags, release):
            continue
        if model.status == "READY" and not _differing(tracking, model.artifact_location, registration):
            return model
        client.delete_logged_model(model.model_id)
    model = client.create_logged_model(
        experiment,
        name=f"release-{release.number}",
        source_run_id=run.info.run_id,
        tags=identity_tags(release) | dict(registration.tags),
        params={_key(name): value for name, value in registration.params},
        model_type="peft-adapter",
    )
    client.log_model_artifacts(model.model_id, str(registration.adapter), "adapter")
    if registration.report is not None:
        client.log_model_artifacts(model.model_id, str(registration.report), "report")
    _log_metrics(client, run, model, registration)
    return client.finalize_logged_model(model.model_id, "READY")


def _log_metrics(client: MlflowClient, run: Run, model: LoggedModel, registration: Registration) -> None:
    # The release's own time, so that a repeated log is the same point and not a second one.
    at = int(registration.release.created.timestamp() * 1000)
    for figure in registration.metrics:
        client.log_metric(
            run.info.run_id, _key(figure.name), figure.value, timestamp=at, step=0, model_id=model.model_id
        )
    client.set_terminated(run.info.run_id)


def _create_version(
    client: MlflowClient, tracking: Tracking, model: LoggedModel, run: Run, registration: Registration
) -> ModelVersion:
    try:
        client.create_registered_model(tracking.model_name, description="Releases of sealed, one version each.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    with addressed(tracking):
        made = client.create_model_version(
            tracking.model_name,
            source=f"models:/{model.model_id}",
            run_id=run.info.run_id,
            tags=identity_tags(registration.release) | dict(registration.tags),
            description=registration.description[:DESCRIPTION],
            model_id=model.model_id,
        )
    return _version(client, tracking, registration.release) or made


def _link(client: MlflowClient, tracking: Tracking, version: ModelVersion) -> None:
    """Lets the logged model's page name its version, as MLflow's server does by itself and its database does not."""
    named = json.dumps([{"name": tracking.model_name, "version": str(version.version)}])
    client.set_logged_model_tags(version.source.removeprefix("models:/"), {"mlflow.modelVersions": named})


def _expect_stored(tracking: Tracking, location: str, registration: Registration) -> None:
    differing = _differing(tracking, location, registration)
    if differing:
        number = registration.release.number
        raise TrackingFailed(
            f"MLflow does not hold what was sent for release {number}: {differing[0]} differs. Delete the version of "
            f"release {number} in MLflow and run the command again."
        )


def _differing(tracking: Tracking, location: str, registration: Registration) -> list[str]:
    """Downloads what lies at `location` and names the adapter's files that are missing, added or other than ours."""
    with tempfile.TemporaryDirectory() as folder:
        download_artifacts(artifact_uri=f"{location}/adapter", dst_path=folder, tracking_uri=tracking.uri)
        ours, theirs = _digests(registration.adapter), _digests(Path(folder) / "adapter")
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}


def _key(name: str) -> str:
    """`name` with only what MLflow allows in the name of a metric or parameter."""
    return re.sub(r"[^\w\-./ ]", "_", name)[:250]
