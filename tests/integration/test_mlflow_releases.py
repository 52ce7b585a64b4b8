"""Releases in a real MLflow: one version each whatever was there before, and aliases that follow the ledger."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import TrackingFailed
from pipeline.types import Figure, Release, ReleaseState
from registry import Reconciled, Tracking, create_ledger
from registry.mlflow import client as mlflow_client
from registry.mlflow.client import connect
from registry.mlflow.reconcile import reconcile
from registry.mlflow.releases import DESCRIPTION, Registration, register
from tests.ledgers import Ledger, intake, manifest_of, with_base_release


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables, made once: MLflow takes seconds to make them."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    assert mlflow_client.read(Tracking(uri=f"sqlite:///{file}")).aliases == ()
    return file


@pytest.fixture
def tracking(tmp_path: Path, made: Path) -> Tracking:
    shutil.copy(made, tmp_path / "mlflow.db")
    return Tracking(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=tmp_path / "mlartifacts")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = create_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield with_base_release(opened)
    opened.close()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """An adapter's folder and a report's."""
    adapter, report = tmp_path / "adapter", tmp_path / "report"
    for folder in (adapter, report):
        folder.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 40)
    (adapter / "adapter_config.json").write_text("{}", encoding="utf-8")
    (adapter / "sealed-manifest.json").write_text("{}", encoding="utf-8")
    (report / "report.html").write_text("<h1>It learned</h1>", encoding="utf-8")
    return adapter, report


def registration(release: Release, folders: tuple[Path, Path]) -> Registration:
    return Registration(
        release=release,
        adapter=folders[0],
        report=folders[1],
        metrics=(Figure(name="recall_before", value=0.05), Figure(name="recall_after", value=0.95)),
        params=(("seed", "0"), ("rank", "64")),
        tags=(("manifest", release.manifest),),
        description="It learned.\n\n" + "long " * 2000,
    )


def test_a_release_becomes_one_version_with_run_metrics_report_and_adapter(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    release = ledger.candidate("atlas", register=lambda one: register(tracking, registration(one, folders)))
    assert release.mlflow_version == "1"
    client = connect(tracking)
    version = client.get_model_version("sealed", "1")
    assert (version.tags["release.id"], version.tags["release.number"]) == (release.id, "1")
    assert version.tags["manifest"] == release.manifest
    assert len(version.description) == DESCRIPTION
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    assert model.status == "READY"
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "sealed", "version": "1"}]
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert {metric.key: metric.value for metric in model.metrics} == {"recall_before": 0.05, "recall_after": 0.95}
    run = client.get_run(version.run_id)
    assert (run.info.status, run.data.params) == ("FINISHED", {"seed": "0", "rank": "64"})
    assert run.data.metrics["recall_after"] == 0.95
    of_run = f"{version.run_id}/artifacts/report/report.html"
    link = f"[Report with plots](#/experiments/{run.info.experiment_id}/runs/{of_run})"
    assert version.description.startswith("It learned.")
    assert link in version.description
    assert (tmp_path / "mlartifacts" / of_run).is_file()
    (artifacts,) = (tmp_path / "mlartifacts" / "models").rglob("artifacts")
    stored = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    assert stored == {
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "adapter/sealed-manifest.json",
        "report/report.html",
    }


def test_registering_again_gives_the_same_version(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    release = ledger.candidate("atlas")
    first = register(tracking, registration(release, folders))
    assert register(tracking, registration(release, folders)) == first
    assert len(mlflow_client.read(tracking).versions) == 1
    other = replace(release, number=2)
    assert register(tracking, registration(other, folders)) == "2"


def test_a_version_that_a_repeated_request_made_twice_is_made_one(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    release = ledger.candidate("atlas")
    register(tracking, registration(release, folders))
    client = connect(tracking)
    first = client.get_model_version("sealed", "1")
    location = client.get_model_version_download_uri("sealed", "1")
    client.create_model_version("sealed", source=location, run_id=first.run_id, tags=first.tags)
    assert register(tracking, registration(release, folders)) == "1"
    assert [one.version for one in mlflow_client.read(tracking).versions] == ["1"]


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_bytes_that_are_not_what_was_sent_are_noticed(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path], tmp_path: Path, damage: str
) -> None:
    release = ledger.candidate("atlas")
    register(tracking, registration(release, folders))
    (stored,) = (tmp_path / "mlartifacts").rglob("adapter_model.safetensors")
    if damage == "changed":
        stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    elif damage == "missing":
        stored.unlink()
    else:
        (stored.parent / "extra.pkl").write_bytes(b"?")
    with pytest.raises(TrackingFailed, match="does not hold what was sent for release 1"):
        register(tracking, registration(release, folders))


def test_an_experiment_that_somebody_deleted_is_used_again(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    release = ledger.candidate("atlas")
    register(tracking, registration(release, folders))
    client = connect(tracking)
    client.delete_experiment(client.get_experiment_by_name("sealed").experiment_id)
    assert register(tracking, registration(ledger.candidate("borea"), folders)) == "2"


def test_a_copied_database_puts_new_files_beside_itself_and_none_into_the_original(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    def files(folder: Path) -> set[Path]:
        return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}

    register(tracking, registration(ledger.candidate("atlas"), folders))
    copy = tmp_path / "a copy"
    copy.mkdir()
    shutil.copy(tmp_path / "mlflow.db", copy)
    shutil.copytree(tmp_path / "mlartifacts", copy / "mlartifacts")
    original = files(tmp_path / "mlartifacts")
    there = Tracking(uri=f"sqlite:///{copy / 'mlflow.db'}", artifacts=copy / "mlartifacts")
    release = ledger.candidate("borea")
    assert register(there, registration(release, folders)) == "2"
    assert register(there, registration(release, folders)) == "2"
    assert files(tmp_path / "mlartifacts") == original
    assert len(files(copy / "mlartifacts")) == 2 * len(original)
    assert [one.version for one in mlflow_client.read(tracking).versions] == ["1"]
    older = connect(there).get_model_version("sealed", "1").source.removeprefix("models:/")
    assert str(tmp_path / "mlartifacts") in connect(there).get_logged_model(older).artifact_location


def test_aliases_and_tags_follow_the_ledger(ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]) -> None:
    def shown() -> dict[str, str]:
        outcome = reconcile(ledger, tracking)
        assert outcome.failed == ()
        assert reconcile(ledger, tracking) == Reconciled()
        return dict(mlflow_client.read(tracking).aliases)

    def submit(name: str) -> None:
        ledger.candidate(name, register=lambda one: register(tracking, registration(one, folders)))

    assert shown() == {}
    submit("atlas")
    assert shown() == {"candidate": "1"}
    ledger.promote(1)
    assert shown() == {"production": "1"}
    submit("borea")
    ledger.promote(2)
    assert shown() == {"production": "2"}
    ledger.rollback()
    assert shown() == {"production": "1"}
    states = {one.version: one.state for one in mlflow_client.read(tracking).versions}
    assert states == {"1": "production", "2": "rolled_back"}
    ledger.rollback(0)
    assert shown() == {}


def test_a_version_whose_run_was_given_up_before_the_record_is_void_and_stays(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        release = session.candidates.intend(run.number, manifest_of(ledger.gate(session, run)))
        assert register(tracking, registration(release, folders)) == "1"
        session.runs.abandon(run.number, "the recipe changed while this run was interrupted")
    mlflow_client.point(tracking, "candidate", "1")
    outcome = reconcile(ledger, tracking)
    assert (outcome.repaired[0], outcome.failed) == ("version 1 was left in MLflow by release 1, void since", ())
    left = ledger.releases.get(1)
    assert (left.state, left.mlflow_version) == (ReleaseState.VOID, "1")
    assert reconcile(ledger, tracking) == Reconciled()
    # The same documents come back under the same release id, and are another release.
    again = ledger.candidate(register=lambda one: register(tracking, registration(one, folders)))
    reconcile(ledger, tracking)
    assert (again.id, again.number, again.mlflow_version) == (left.id, 2, "2")
    shown = mlflow_client.read(tracking)
    assert {one.version: one.state for one in shown.versions} == {"1": "void", "2": "candidate"}
    assert shown.aliases == (("candidate", "2"),)


def test_a_version_whose_release_became_stale_before_the_record_is_found_too(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    ledger.candidate("atlas", register=lambda one: register(tracking, registration(one, folders)))
    ledger.documents.accept(intake("borea"))
    with ledger.session() as session:
        run = ledger.begin(session)
        release = session.candidates.intend(run.number, manifest_of(ledger.gate(session, run)))
        assert register(tracking, registration(release, folders)) == "2"
        ledger.promote(1)
        session.runs.abandon(run.number, "production moved")
    assert "version 2 was left in MLflow by release 2, stale since" in reconcile(ledger, tracking).repaired
    states = {one.version: one.state for one in mlflow_client.read(tracking).versions}
    assert states == {"1": "production", "2": "stale"}


def test_a_void_release_that_mlflow_never_saw_is_left_as_it_is(ledger: Ledger, tracking: Tracking) -> None:
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        session.candidates.intend(run.number, manifest_of(ledger.gate(session, run)))
        session.runs.abandon(run.number, "the recipe changed")
    assert reconcile(ledger, tracking) == Reconciled()
    assert ledger.releases.get(1).mlflow_version is None


def test_an_alias_that_a_person_moved_is_put_back_and_reported(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    for name, number in (("atlas", 1), ("borea", 2)):
        ledger.candidate(name, register=lambda one: register(tracking, registration(one, folders)))
        ledger.promote(number)
    reconcile(ledger, tracking)
    mlflow_client.point(tracking, "production", "1")
    (said,) = reconcile(ledger, tracking).repaired
    assert said.startswith("somebody had set the MLflow alias production to version 1")
    assert mlflow_client.read(tracking).version_of("production") == "2"


def test_aliases_follow_a_production_that_moves_while_they_are_shown(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("atlas", 1), ("borea", 2)):
        ledger.candidate(name, register=lambda one: register(tracking, registration(one, folders)))
        ledger.promote(number)
    point, moved = mlflow_client.point, []

    def overtaken(tracking: Tracking, alias: str, version: str | None) -> None:
        if not moved:
            moved.append(ledger.rollback())
        point(tracking, alias, version)

    monkeypatch.setattr(mlflow_client, "point", overtaken)
    assert reconcile(ledger, tracking).failed == ()
    assert moved
    assert dict(mlflow_client.read(tracking).aliases) == {"production": "1"}


def test_a_version_that_somebody_deleted_is_reported(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    ledger.candidate("atlas", register=lambda one: register(tracking, registration(one, folders)))
    connect(tracking).delete_model_version("sealed", "1")
    outcome = reconcile(ledger, tracking)
    assert "no longer holds version 1 (release 1)" in outcome.failed[0]


def test_mlflow_follows_a_rollback_once_it_is_reachable_again(
    ledger: Ledger, tracking: Tracking, folders: tuple[Path, Path]
) -> None:
    ledger.candidate("atlas", register=lambda one: register(tracking, registration(one, folders)))
    ledger.promote(1)
    reconcile(ledger, tracking)
    nobody = replace(tracking, uri=f"http://127.0.0.1:{free_port()}")
    ledger.rollback()
    outcome = reconcile(ledger, nobody)
    assert ledger.releases.production().number == 0
    assert len(outcome.failed) == 1
    assert "Start it or correct tracking_uri: then `sealed doctor`" in outcome.failed[0]
    reconcile(ledger, tracking)
    assert mlflow_client.read(tracking).version_of("production") is None


@pytest.mark.parametrize("uri", ["sqlite:////nowhere/at/all/mlflow.db", "what://is/this"])
def test_an_unusable_address_is_one_typed_error(uri: str) -> None:
    with pytest.raises(TrackingFailed, match="correct tracking_uri"):
        mlflow_client.read(Tracking(uri=uri))


def free_port() -> int:
    with socket.socket() as eval_item:
        eval_item.bind(("127.0.0.1", 0))
        return int(eval_item.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path, made: Path) -> Iterator[str]:
    """The address of a real MLflow server that keeps its files itself."""
    shutil.copy(made, tmp_path / "server.db")
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        f"sqlite:///{tmp_path / 'server.db'}",
        "--artifacts-destination",
        str(tmp_path / "kept"),
    ]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        _await_health(f"http://127.0.0.1:{port}/health", child)
        yield f"http://127.0.0.1:{port}"
    finally:
        # The whole group: a killed parent leaves its worker serving.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _await_health(url: str, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("the MLflow server did not start")


@pytest.mark.slow
def test_the_same_through_a_server(ledger: Ledger, folders: tuple[Path, Path], server: str, tmp_path: Path) -> None:
    tracking = Tracking(uri=server)
    release = ledger.candidate("atlas", register=lambda one: register(tracking, registration(one, folders)))
    assert register(tracking, registration(release, folders)) == release.mlflow_version == "1"
    ledger.promote(1)
    assert reconcile(ledger, tracking).failed == ()
    assert mlflow_client.read(tracking).version_of("production") == "1"
    assert list((tmp_path / "kept").rglob("adapter_model.safetensors"))
