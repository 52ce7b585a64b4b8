"""How a run makes a candidate: first the intent with its number, then, once MLflow holds it, the record.

Knows nothing of MLflow but the version that is handed in.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from pipeline.errors import InternalError, PolicyError
from pipeline.types import AdapterManifest, ModelRef, Release, ReleaseState, Run, RunState, Verdict
from registry import lifecycle
from registry.lifecycle import Event
from registry.store import journal, releases, runs
from registry.store.database import FencedDatabase, now
from registry.tables import releases as table


@dataclass(frozen=True)
class Candidates:
    """Writes candidates under the lease. Both methods raise LeaseLost, and write nothing, once the lease is lost."""

    database: FencedDatabase

    def intend(self, number: int, manifest: AdapterManifest, at: datetime | None = None) -> Release:
        """Gives the adapter of run `number` a release number, in state REGISTERING. Idempotent for a resumed run.

        Raises PolicyError if the gates did not pass it, or production has moved since the run began.
        """
        with self.database.write() as connection:
            run = runs.load(connection, number)
            if run.release is not None:
                return _expect_same(releases.load(connection, run.release), manifest)
            _expect_passed(connection, run, manifest)
            production = releases.production(connection)
            if production.number != run.parent:
                raise PolicyError(
                    f"production moved from release {run.parent} to {production.number} since run {run.number} began: "
                    "run the update again."
                )
            fresh, at = (connection.execute(select(func.max(table.c.number))).scalar() or 0) + 1, at or now()
            release = _release(fresh, run, production.model.base, manifest, at)
            releases.add(connection, release)
            journal.record(connection, release, None, release.state, f"run {number} registers it", at)
            runs.change(connection, number, before=runs.STAGES, state=RunState.REGISTERING, release=fresh)
            return release

    def record(self, number: int, mlflow_version: str, at: datetime | None = None) -> Release:
        """The release of run `number` is in MLflow: it becomes a CANDIDATE and the run waits for review. Idempotent.

        Raises PolicyError if production has moved meanwhile: then the run is to be abandoned.
        """
        with self.database.write() as connection:
            run = runs.load(connection, number)
            if run.release is None:
                raise InternalError(f"run {number} intends no release. Please report it.")
            release = releases.load(connection, run.release)
            if release.state is ReleaseState.CANDIDATE and release.mlflow_version == mlflow_version:
                return release
            if lifecycle.against_event(release.number, release.state, Event.RECORDED) is not None:
                why = release.reason or release.state
                raise PolicyError(f"release {release.number} cannot become a candidate: {why}.")
            values, at = {"state": ReleaseState.CANDIDATE, "mlflow_version": mlflow_version}, at or now()
            connection.execute(update(table).where(table.c.number == release.number).values(values))
            journal.record(connection, release, release.state, ReleaseState.CANDIDATE, "its gates passed", at)
            ended = {"sentence": f"release {release.number} waits for review", "finished": at}
            runs.change(connection, number, before=(RunState.REGISTERING,), state=RunState.WAITING, **ended)
            return releases.load(connection, release.number)


def _expect_passed(connection: Connection, run: Run, manifest: AdapterManifest) -> None:
    if run.update != manifest.update or run.report is None:
        raise InternalError(f"run {run.number} has no report on this adapter's update. Please report it.")
    if (verdict := releases.load_report(connection, run.report).verdict) is not Verdict.PASS:
        raise PolicyError(f"run {run.number} did not pass its gates ({verdict}): it is not registered.")


def _expect_same(release: Release, manifest: AdapterManifest) -> Release:
    if release.manifest != manifest.digest:
        raise InternalError(
            f"the adapter changed after release {release.number} was given its number. Please report it."
        )
    return release


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
