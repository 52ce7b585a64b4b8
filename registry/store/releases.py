"""The releases of the ledger, with the updates and gate reports behind them; records the base model as release 0.

A run makes a release in `candidates`; people move it in `registry.deploy`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, RowMapping, Select, Table, insert, select, update

from pipeline.errors import DatabaseFailed, InternalError, LedgerTampered, ModelChanged, NoSuchRelease
from pipeline.types import (
    Approval,
    Deployment,
    GateReport,
    ModelRef,
    Release,
    ReleaseState,
    RunKind,
    Transition,
    Update,
)
from registry import columns, tables
from registry.store import journal
from registry.store.database import Database, now

# How many production adapters stay on disk, so that a rollback needs nobody (I4).
KEPT = 3
_LEFT = (ReleaseState.VOID, ReleaseState.STALE)
_IN_REVIEW = (ReleaseState.CANDIDATE, ReleaseState.REGISTERING)


@dataclass(frozen=True)
class Releases:
    """Reads releases and their approvals. The writes here need no lease: none of them is a run's decision."""

    database: Database

    def create_base_release(self, base: ModelRef, actor: str, at: datetime | None = None) -> Release:
        """Makes the base model release 0 and production. Idempotent. Raises ModelChanged if another base is release 0.

        Its manifest and its update are empty strings: nobody trained it.
        """
        with self.database.write() as connection:
            known = _one(connection, select(tables.releases).where(tables.releases.c.number == 0))
            if known is None:
                return _add_base_release(connection, base, actor, at or now())
        if known.model.base != base.base:
            raise ModelChanged(
                f"this ledger was made for base {known.model.base[:12]}, and the model is now {base.base[:12]}. "
                "Put the old model back, or start a new workspace with `sealed init`."
            )
        return known

    def production(self) -> Release:
        """The production release. Raises DatabaseFailed where the ledger was emptied."""
        with self.database.read() as connection:
            return production(connection)

    def get(self, number: int) -> Release:
        """The release of that number. Raises NoSuchRelease."""
        with self.database.read() as connection:
            return load(connection, number)

    def listed(self) -> tuple[Release, ...]:
        """All releases by number."""
        with self.database.read() as connection:
            return every(connection)

    def approvals(self, number: int) -> tuple[Approval, ...]:
        """Approvals and rejections of a release, oldest first."""
        with self.database.read() as connection:
            return journal.approvals_of(connection, number)

    def history(self, number: int) -> tuple[Transition, ...]:
        """What happened to a release, oldest first."""
        with self.database.read() as connection:
            return journal.transitions_of(connection, number)

    def needed(self) -> tuple[Release, ...]:
        """The releases whose adapters must stay on disk: production, the three before it, and those in review.

        A superseded release is always an ancestor of production, so its parents name the former production releases.
        """
        with self.database.read() as connection:
            line, known = [production(connection)], {release.number: release for release in every(connection)}
        while (parent := line[-1].parent) is not None and len(line) <= KEPT:
            line.append(known[parent])
        in_review = [release for release in known.values() if release.state in _IN_REVIEW]
        trained = [release for release in (*line, *in_review) if release.model.adapter is not None]
        return tuple(sorted(trained, key=lambda release: release.number))

    def kinds_behind(self, number: int) -> frozenset[RunKind]:
        """The kinds of the runs that made this release's adapter, back to the one that was trained from the base."""
        with self.database.read() as connection:
            made = [release.number for release, _ in lineage(connection, load(connection, number))]
            kinds = connection.execute(select(tables.runs.c.kind).where(tables.runs.c.release.in_(made))).scalars()
            return frozenset(RunKind(kind) for kind in kinds)

    def record_leftover(self, number: int, mlflow_version: str) -> Release:
        """Records the MLflow version of a VOID or STALE release whose run was killed between version and record.

        Idempotent: the first version that is found stays.
        """
        table = tables.releases
        with self.database.write() as connection:
            left = (table.c.number == number, table.c.state.in_(_LEFT), table.c.mlflow_version.is_(None))
            connection.execute(update(table).where(*left).values(mlflow_version=mlflow_version))
            return load(connection, number)

    def replace_version(self, release: Release, mlflow_version: str | None) -> Release:
        """Records that MLflow lost the version of `release`: it has another one, or none, since. Idempotent.

        Compare-and-set on the version that was lost.
        """
        table = tables.releases
        with self.database.write() as connection:
            lost = (table.c.number == release.number, table.c.mlflow_version == release.mlflow_version)
            connection.execute(update(table).where(*lost).values(mlflow_version=mlflow_version))
            return load(connection, release.number)


def load(connection: Connection, number: int) -> Release:
    """The release of that number, within a transaction. Raises NoSuchRelease."""
    found = _one(connection, select(tables.releases).where(tables.releases.c.number == number))
    if found is None:
        raise NoSuchRelease(f"there is no release {number}. See `sealed releases`.")
    return found


def production(connection: Connection) -> Release:
    """The production release, within a transaction. Raises DatabaseFailed where there is none."""
    found = _one(connection, select(tables.releases).where(tables.releases.c.state == ReleaseState.PRODUCTION))
    if found is None:
        raise emptied()
    return found


def emptied() -> DatabaseFailed:
    """The error for a ledger without a production release."""
    return DatabaseFailed(
        "the ledger holds no production release: it was emptied, or not put back whole. Put its backup back, or make a "
        "new workspace in another folder with `sealed init`."
    )


def every(connection: Connection) -> tuple[Release, ...]:
    """All releases by number, within a transaction."""
    query = select(tables.releases).order_by(tables.releases.c.number)
    return tuple(_decode(row) for row in connection.execute(query).mappings())


def lineage(connection: Connection, release: Release) -> tuple[tuple[Release, Update], ...]:
    """The releases that made this one's adapter with their updates: itself first, back along warm starts.

    Ends at the first adapter that was trained from the base. Empty for the base model.
    """
    found: list[tuple[Release, Update]] = []
    while release.number and release.parent is not None:
        made = load_update(connection, release.update)
        found.append((release, made))
        if made.parent.adapter is None:
            break
        release = load(connection, release.parent)
    return tuple(found)


def add(connection: Connection, release: Release) -> None:
    """Inserts a release, within a transaction."""
    values = columns.fields_of(release) | columns.fields_of(release.model) | {"update_id": release.update}
    connection.execute(insert(tables.releases).values({c.name: values[c.name] for c in tables.releases.columns}))


def _add_base_release(connection: Connection, base: ModelRef, actor: str, at: datetime) -> Release:
    release = Release(
        number=0,
        state=ReleaseState.PRODUCTION,
        parent=None,
        model=ModelRef(base=base.base),
        manifest="",
        update="",
        proposer=actor,
        created=at,
    )
    add(connection, release)
    first = Deployment(epoch=0, release=0, actor=actor, reason="the base model", at=at)
    connection.execute(insert(tables.deployments).values(columns.fields_of(first)))
    journal.record(connection, release, None, ReleaseState.PRODUCTION, first.reason, at)
    return release


def _one(connection: Connection, query: Select[tuple[object, ...]]) -> Release | None:
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _decode(row)


def _decode(row: RowMapping) -> Release:
    return columns.decode(Release, {**row, "model": {**row}, "update": row["update_id"]})


@dataclass(frozen=True)
class Reports:
    """Reads reports and updates."""

    database: Database

    def get(self, digest: str) -> GateReport:
        """The report of that digest."""
        with self.database.read() as connection:
            return load_report(connection, digest)

    def update(self, id_: str) -> Update:
        """The update of that id."""
        with self.database.read() as connection:
            return load_update(connection, id_)


def load_report(connection: Connection, digest: str) -> GateReport:
    """The report of that digest, within a transaction."""
    found: GateReport = _body(connection, tables.reports, tables.reports.c.digest, digest)
    return found


def load_update(connection: Connection, id_: str) -> Update:
    """The update of that id, within a transaction."""
    found: Update = _body(connection, tables.updates, tables.updates.c.id, id_)
    return found


def _body(connection: Connection, table: Table, key: Column[str], value: str) -> Any:
    """The value that a row keeps whole, as it was written.

    Raises InternalError where the row is missing, although others name it; LedgerTampered where it was changed.
    """
    found = connection.execute(select(table.c.body).where(key == value)).scalar_one_or_none()
    what = table.name.removesuffix("s")
    if found is None:
        raise InternalError(f"the ledger lost the {what} {value}. Please report it.")
    if name_of(found) != value:
        raise LedgerTampered(
            f"the ledger was changed by other hands than ours: the {what} {value[:12]} holds other values than were "
            f"written. {journal.REPAIR}."
        )
    return found


def name_of(body: Any) -> str:
    """The digest by which the ledger names an update, a self-edit or a report, computed anew."""
    return str(body.digest if isinstance(body, GateReport) else body.id)


def add_report(connection: Connection, report: GateReport) -> None:
    """Writes a report unless it is there."""
    known = select(tables.reports.c.digest).where(tables.reports.c.digest == report.digest)
    if connection.execute(known).first() is None:
        connection.execute(insert(tables.reports).values(digest=report.digest, verdict=report.verdict, body=report))


def add_update(connection: Connection, made: Update) -> None:
    """Writes an update unless it is there."""
    if connection.execute(select(tables.updates.c.id).where(tables.updates.c.id == made.id)).first() is None:
        connection.execute(insert(tables.updates).values(id=made.id, body=made))
