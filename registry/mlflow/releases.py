"""Puts a release into MLflow as one run, one logged model and one registered version, whatever happens on the way.

MLflow's client repeats requests, so each step first searches for what an earlier try made for the release. Without
that, 24 of 64 kill schedules left a second version. Knows no ledger: the caller records the returned version.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Param, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.digests import digest_file
from pipeline.errors import TrackingFailed
from pipeline.types import Figure, Release
from registry.mlflow.client import addressed, connect, download, translated
from registry.projection import ID_TAG, NEW_MODEL, NUMBER_TAG
from registry.tracking import Tracking

# MLflow's column for a version's description.
DESCRIPTION = 5000
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Registration:
    """All that MLflow gets about a release. `report`: a folder with report.html; `description` is Markdown."""

    release: Release
    adapter: Path
    report: Path | None = None
    metrics: tuple[Figure, ...] = ()
    params: Pairs = ()
    tags: Pairs = ()
    description: str = ""


def register(tracking: Tracking, registration: Registration) -> str:
    """Registers the release and returns its version: exactly one, also after kills and lost replies.

    Downloads what MLflow holds and compares every digest before it returns. Raises TrackingFailed.
    """
    with translated(tracking):
        return _Registrar(connect(tracking), tracking, registration).register()


def fetch(tracking: Tracking, release: Release, folder: Path) -> None:
    """Puts into `folder` what MLflow holds of a release's adapter: unverified. Raises TrackingFailed."""
    client = connect(tracking)
    with translated(tracking), tempfile.TemporaryDirectory() as name:
        address = client.get_model_version_download_uri(tracking.model_name, str(release.mlflow_version))
        found = download(tracking, f"{address}/adapter", Path(name))
        shutil.copytree(found, folder, dirs_exist_ok=True)


def identity_tags(release: Release) -> dict[str, str]:
    """The tags by which a release is found again in MLflow, on its run, its logged model and its version."""
    return {ID_TAG: release.id, NUMBER_TAG: str(release.number)}


@dataclass(frozen=True)
class _Registrar:
    """One registration. Each step takes what an earlier try made of it, and makes the rest."""

    client: MlflowClient
    tracking: Tracking
    registration: Registration

    def register(self) -> str:
        version = self._find_version()
        if version is None:
            experiment = self._experiment()
            run = self._run(experiment)
            version = self._create_version(self._logged_model(experiment, run), run)
        number = str(version.version)
        name, release = self.tracking.model_name, self.registration.release.number
        location = self.client.get_model_version_download_uri(name, number)
        if differing := self._differing(location):
            raise TrackingFailed(
                f"MLflow does not hold what was sent for release {release}: {differing[0]} differs. Delete the version "
                f"of release {release} in MLflow and run the command again."
            )
        # The logged model's page names its version: MLflow's server sets this itself, its database store does not.
        named = {"mlflow.modelVersions": json.dumps([{"name": name, "version": number}])}
        self.client.set_logged_model_tags(version.source.removeprefix("models:/"), named)
        return number

    @property
    def _tags(self) -> dict[str, str]:
        return identity_tags(self.registration.release) | dict(self.registration.tags)

    @property
    def _filter(self) -> str:
        return f"tags.`{ID_TAG}` = '{self.registration.release.id}'"

    def _is_mine(self, tags: Mapping[str, str]) -> bool:
        return identity_tags(self.registration.release).items() <= tags.items()

    def _find_version(self) -> ModelVersion | None:
        """The release's version; a repeated request's later ones are deleted."""
        found = [
            version
            for version in self.client.search_model_versions(self._filter)
            if version.name == self.tracking.model_name and self._is_mine(version.tags)
        ]
        first, *repeated = sorted(found, key=lambda version: int(version.version)) or [None]
        for version in repeated:
            self.client.delete_model_version(self.tracking.model_name, version.version)
        return first

    def _experiment(self) -> str:
        """The experiment's id. A copied database's experiment keeps its files in the original: it gets another one."""
        artifacts, name = self.tracking.artifacts, self.tracking.experiment
        location = artifacts.resolve().as_uri() if artifacts else None
        found = self.client.get_experiment_by_name(name)
        if found is not None and location is not None and found.artifact_location != location:
            name = f"{name} in {location}"
            found = self.client.get_experiment_by_name(name)
        if found is None:
            return str(self.client.create_experiment(name, artifact_location=location))
        if found.lifecycle_stage != "active":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _run(self, experiment: str) -> Run:
        """The release's run with its parameters; metrics are added when the logged model exists."""
        found = [run for run in self.client.search_runs([experiment], self._filter) if self._is_mine(run.data.tags)]
        name = f"release {self.registration.release.number}"
        run = found[0] if found else self.client.create_run(experiment, tags=self._tags, run_name=name)
        params = [Param(_key(name), value) for name, value in self.registration.params]
        self.client.log_batch(run.info.run_id, params=params)
        if self.registration.report is not None:
            # Beside the copy in the logged model: of MLflow's pages, only a run's opens one file by a link.
            self.client.log_artifacts(run.info.run_id, str(self.registration.report), "report")
        return run

    def _logged_model(self, experiment: str, run: Run) -> LoggedModel:
        """The release's finished logged model; those that a kill left unfinished are deleted."""
        for model in self.client.search_logged_models([experiment], filter_string=self._filter):
            if not self._is_mine(model.tags):
                continue
            if model.status == "READY" and not self._differing(model.artifact_location):
                return model
            self.client.delete_logged_model(model.model_id)
        model = self.client.create_logged_model(
            experiment,
            name=f"release-{self.registration.release.number}",
            source_run_id=run.info.run_id,
            tags=self._tags,
            params={_key(name): value for name, value in self.registration.params},
            model_type="peft-adapter",
        )
        self.client.log_model_artifacts(model.model_id, str(self.registration.adapter), "adapter")
        if self.registration.report is not None:
            self.client.log_model_artifacts(model.model_id, str(self.registration.report), "report")
        self._log_metrics(run.info.run_id, model.model_id)
        return self.client.finalize_logged_model(model.model_id, "READY")

    def _log_metrics(self, run: str, model: str) -> None:
        # The release's own time, so that a repeated log is the same point and not a second one.
        at = int(self.registration.release.created.timestamp() * 1000)
        for figure in self.registration.metrics:
            self.client.log_metric(run, _key(figure.name), figure.value, timestamp=at, step=0, model_id=model)
        self.client.set_terminated(run)

    def _create_version(self, model: LoggedModel, run: Run) -> ModelVersion:
        name = self.tracking.model_name
        try:
            self.client.create_registered_model(name, description=NEW_MODEL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        with addressed(self.tracking):
            made = self.client.create_model_version(
                name,
                source=f"models:/{model.model_id}",
                run_id=run.info.run_id,
                tags=self._tags,
                description=self._description(model, run),
                model_id=model.model_id,
            )
        return self._find_version() or made

    def _description(self, model: LoggedModel, run: Run) -> str:
        """The description, with links after its first paragraph: MLflow's lists of versions show how it begins."""
        first, gap, others = self.registration.description.partition("\n\n")
        return f"{first}\n\n{self._links(model, run)}{gap}{others}"[:DESCRIPTION]

    def _links(self, model: LoggedModel, run: Run) -> str:
        """Links to what a reviewer looks at, relative to whichever server shows them."""
        experiment = f"#/experiments/{model.experiment_id}"
        of_run, of_model = f"{experiment}/runs/{run.info.run_id}", f"{experiment}/models/{model.model_id}"
        report = [("Report with plots", f"{of_run}/artifacts/report/report.html")] if self.registration.report else []
        links = (*report, ("Metrics and parameters", of_run), ("Adapter", f"{of_model}/artifacts"))
        return " · ".join(f"[{text}]({address})" for text, address in links)

    def _differing(self, location: str) -> list[str]:
        """Downloads what lies at `location`; the adapter's files that are missing, added or different there."""
        with tempfile.TemporaryDirectory() as folder:
            found = download(self.tracking, f"{location}/adapter", Path(folder))
            ours, theirs = _digests(self.registration.adapter), _digests(found)
        return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}


def _key(name: str) -> str:
    """`name` with only what MLflow allows in the name of a metric or parameter."""
    return re.sub(r"[^\w\-./ ]", "_", name)[:250]
