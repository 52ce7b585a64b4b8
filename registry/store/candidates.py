"""How a run becomes a candidate: first the intent with its number, then, once MLflow holds it, the record.

Knows nothing of MLflow but the version that is handed in.
"""

from datetime import datetime

from sqlalchemy import func, insert, select, update

from pipeline.errors import InternalError, PolicyError
from pipeline.types import AdapterManifest, Lease, ModelRef, Release, ReleaseState, Run, RunState, Verdict
from registry import lifecycle
from registry.store import lease, releases, reports, rows, run_rows
from registry.store.database import Store
from registry.tables import releases as table


def intend_release(
    store: Store, held: Lease, number: int, manifest: AdapterManifest, at: datetime | None = None
) -> Release:
    """Gives the run's adapter a release number and the state REGISTERING. Idempotent: a resumed run gets its own.

    Raises PolicyError if the gates did not pass it, or production has moved since the run began.
    """
    with store.write() as connection:
        lease.check(connection, held)
        run = run_rows.load(connection, number)
        if run.release is not None:
            return _same(releases.load(connection, run.release), manifest)
        if run.update != manifest.update or run.report is None:
            raise InternalError(f"run {number} has no report on this adapter's update. Please report it.")
        if (verdict := reports.load(connection, run.report).verdict) is not Verdict.PASS:
            raise PolicyError(f"run {number} did not pass its gates ({verdict}): it is not registered.")
        production = releases.current(connection)
        if production.number != run.parent:
            raise PolicyError(_moved(run, production.number))
        fresh = (connection.execute(select(func.max(table.c.number))).scalar() or 0) + 1
        release = _release(fresh, run, production.model.base, manifest, at or rows.now())
        connection.execute(insert(table).values(rows.row_of_release(release)))
        state = RunState.REGISTERING
        before = (RunState.INGESTING, RunState.WRITING, RunState.TRAINING, RunState.GATING)
        run_rows.change(connection, number, before=before, state=state, release=fresh)
        return release


def record_release(store: Store, held: Lease, number: int, mlflow_version: str, at: datetime | None = None) -> Release:
    """The run's release is in MLflow: it becomes a CANDIDATE, and the run waits for review. Idempotent.

    Raises PolicyError if production has moved meanwhile: then the run is to be abandoned.
    """
    with store.write() as connection:
        lease.check(connection, held)
        run = run_rows.load(connection, number)
        if run.release is None:
            raise InternalError(f"run {number} intends no release. Please report it.")
        release = releases.load(connection, run.release)
        if release.state is ReleaseState.CANDIDATE and release.mlflow_version == mlflow_version:
            return release
        if not lifecycle.may_follow(release.state, ReleaseState.CANDIDATE):
            raise PolicyError(f"release {release.number} cannot become a candidate: {release.reason or release.state}.")
        values = {"state": ReleaseState.CANDIDATE, "mlflow_version": mlflow_version}
        connection.execute(update(table).where(table.c.number == release.number).values(values))
        sentence = f"release {release.number} waits for review"
        before = (RunState.REGISTERING,)
        run_rows.change(
            connection, number, before=before, state=RunState.WAITING, sentence=sentence, finished=at or rows.now()
        )
        return releases.load(connection, release.number)


def record_leftover(store: Store, number: int, mlflow_version: str) -> Release:
    """A VOID release turned out to be in MLflow: its run was given up between the version and the record. Idempotent.

    Needs no lease: nothing is decided by it, and the first version that is found stays.
    """
    with store.write() as connection:
        left = (table.c.number == number, table.c.state == ReleaseState.VOID, table.c.mlflow_version.is_(None))
        connection.execute(update(table).where(*left).values(mlflow_version=mlflow_version))
        return releases.load(connection, number)


def _release(number: int, run: Run, base: str, manifest: AdapterManifest, at: datetime) -> Release:
    return Release(
        number=number,
        state=ReleaseState.REGISTERING,
        parent=run.parent,
        model=ModelRef(base=base, adapter=manifest.adapter),
        manifest=manifest.digest,
        update=manifest.update,
        proposer=run.proposer,
        created=at,
        report=run.report,
    )


def _same(release: Release, manifest: AdapterManifest) -> Release:
    if release.manifest != manifest.digest:
        raise InternalError(
            f"the adapter changed after release {release.number} was given its number. Please report it."
        )
    return release


def _moved(run: Run, production: int) -> str:
    return (
        f"production moved from release {run.parent} to {production} since run {run.number} began: "
        "run the update again."
    )
