"""Registers one release in a process that is killed at a named point, then once more in a sound one; says how it ended.

Run as `python -m tests.faults.registration FOLDER POINT...`; a point is WHEN:METHOD:NTH, as "after:log_metric:2". Each
part runs in a fork, so that what takes a second to import is imported once. Prints one JSON object a point.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import mlflow.artifacts

from pipeline.types import Figure
from registry import Tracking, create_ledger, open_ledger
from registry.mlflow import client as mlflow_client
from registry.mlflow import releases as mlflow_releases
from registry.mlflow.client import connect
from registry.mlflow.releases import Registration
from registry.store.candidates import Candidates
from tests.ledgers import intake, manifest_of, with_base_release


@dataclass(frozen=True)
class Ending:
    """What was found after a kill at `point` and one sound run."""

    point: str
    killed: bool
    versions: list[str]
    recorded: str | None
    release: str
    run: str
    runs: int
    logged_models: int
    metric_points: int
    releases: int


def forked(work: Callable[[], None]) -> int:
    """Does `work` in a child process, and returns how it ended as os.waitstatus_to_exitcode says it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tracking(folder: Path) -> Tracking:
    return Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=folder / "mlartifacts")


def prepare(folder: Path) -> None:
    """A run that has passed its gates, an adapter, and an MLflow database that holds nothing."""
    folder.mkdir()
    ledger = with_base_release(create_ledger(f"sqlite:///{folder / 'ledger.db'}"))
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        ledger.gate(session, ledger.begin(session))
    ledger.close()
    for name in ("adapter", "report"):
        (folder / name).mkdir()
        for part in range(3):
            (folder / name / f"part-{part}.bin").write_bytes(bytes([part]) * 5000)
    mlflow_client.read(tracking(folder))


def resume(folder: Path) -> None:
    """What the nightly flow does from the gates on."""
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    with ledger.session() as session:
        run = ledger.runs.unfinished()
        if run is None or run.update is None:
            return
        manifest = manifest_of(ledger.reports.update(run.update))
        release = session.candidates.intend(run.number, manifest)
        registration = Registration(
            release=release,
            adapter=folder / "adapter",
            report=folder / "report",
            metrics=(Figure(name="recall", value=0.9), Figure(name="loss", value=0.1)),
            params=(("seed", "0"),),
        )
        version = mlflow_releases.register(tracking(folder), registration)
        session.candidates.record(run.number, version)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Makes this process kill itself before, after or halfway through the nth call of a method."""
    when, method, nth = point.split(":")
    owner = Candidates if hasattr(Candidates, method) else mlflow.MlflowClient
    whole, calls = getattr(owner, method), [0]

    def deadly(*args: object, **kwargs: object) -> object:
        calls[0] += 1
        fatal = calls[0] == int(nth)
        if fatal and when == "before":
            die()
        if fatal and when == "halfway":
            client, model, folder, below = args
            client.log_model_artifact(model, str(Path(str(folder)) / "part-1.bin"), below)  # type: ignore[attr-defined]
            die()
        result = whole(*args, **kwargs)
        if fatal:
            die()
        return result

    setattr(owner, method, deadly)


def ending(folder: Path, point: str, killed: bool) -> Ending:
    client = connect(tracking(folder))
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    experiment = client.get_experiment_by_name("sealed").experiment_id
    runs = client.search_runs([experiment])
    return Ending(
        point=point,
        killed=killed,
        versions=[one.version for one in mlflow_client.read(tracking(folder)).versions],
        recorded=ledger.releases.get(1).mlflow_version,
        release=ledger.releases.get(1).state,
        run=ledger.runs.get(1).state,
        runs=len(runs),
        logged_models=len(client.search_logged_models([experiment])),
        metric_points=sum(len(client.get_metric_history(run.info.run_id, "recall")) for run in runs),
        releases=len(ledger.releases.listed()),
    )


def schedule(template: Path, folder: Path, point: str) -> None:
    shutil.copytree(template, folder)

    def killed() -> None:
        arm(point)
        resume(folder)

    status = forked(killed)

    def sound() -> None:
        resume(folder)
        print(json.dumps(asdict(ending(folder, point, status == -signal.SIGKILL))), flush=True)

    if forked(sound) != 0:
        raise SystemExit(f"{point}: the sound run failed")


def main() -> None:
    root, *points = sys.argv[1:]
    template = Path(root) / "template"
    if forked(lambda: prepare(template)) != 0:
        raise SystemExit("no template was made")
    for number, point in enumerate(points):
        schedule(template, Path(root) / f"schedule-{number}", point)


if __name__ == "__main__":
    main()
