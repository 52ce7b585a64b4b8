"""The releases of the ledger, the deployments that made them production, and the people who said so.

Reads, and founds the base model as release 0; what moves a release is in `candidates` and `registry.deploy`.
"""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from pipeline.errors import DatabaseFailed, ModelChanged, NoSuchRelease
from pipeline.types import Approval, Deployment, ModelRef, Release, ReleaseState
from registry import tables
from registry.store import rows
from registry.store.database import Store

# How many production adapters stay on disk, so that a rollback needs nobody (I4).
KEPT = 3
_WAITING = (ReleaseState.CANDIDATE, ReleaseState.REGISTERING)


def create_base_release(store: Store, base: ModelRef, actor: str, at: datetime | None = None) -> Release:
    """Makes the base model release 0 and production. Idempotent. Raises ModelChanged if it was founded on another.

    Its manifest and its update are empty strings: nobody trained it.
    """
    with store.write() as connection:
        row = connection.execute(select(tables.releases).where(tables.releases.c.number == 0)).mappings().one_or_none()
        if row is None:
            release = Release(
                number=0,
                state=ReleaseState.PRODUCTION,
                parent=None,
                model=ModelRef(base=base.base),
                manifest="",
                update="",
                proposer=actor,
                created=at or rows.now(),
            )
            connection.execute(insert(tables.releases).values(rows.row_of_release(release)))
            first = {"epoch": 0, "release": 0, "actor": actor, "reason": "the base model", "at": release.created}
            connection.execute(insert(tables.deployments).values(first))
            return release
    known = rows.release_of(row)
    if known.model.base != base.base:
        raise ModelChanged(
            f"this ledger was founded on base {known.model.base[:12]}, and the model is now {base.base[:12]}. "
            "Put the old model back, or start a new workspace with `sealed init`."
        )
    return known


def production(store: Store) -> Release:
    """The release that is live. Raises DatabaseFailed where the ledger was emptied."""
    with store.read() as connection:
        return current(connection)


def get(store: Store, number: int) -> Release:
    """The release of that number. Raises NoSuchRelease."""
    with store.read() as connection:
        return load(connection, number)


def listed(store: Store) -> tuple[Release, ...]:
    """All releases by number."""
    with store.read() as connection:
        return every(connection)


def deployments(store: Store) -> tuple[Deployment, ...]:
    """All that was ever production, oldest first. Raises DatabaseFailed where nothing ever was."""
    with store.read() as connection:
        create_base_release = history(connection)
    if not create_base_release:
        raise _emptied()
    return create_base_release


def approvals(store: Store, number: int) -> tuple[Approval, ...]:
    """What people said about a release, oldest first."""
    query = select(tables.approvals).where(tables.approvals.c.release == number).order_by(tables.approvals.c.id)
    with store.read() as connection:
        return tuple(rows.approval_of(row) for row in connection.execute(query).mappings())


def needed(store: Store) -> tuple[Release, ...]:
    """The releases whose adapters must stay on disk: production, the three before it, and all that may yet become it.

    A superseded release is always an ancestor of production, so the way back along the parents names the former ones.
    """
    with store.read() as connection:
        live, known = current(connection), {release.number: release for release in every(connection)}
    line = [live]
    while (parent := line[-1].parent) is not None and len(line) <= KEPT:
        line.append(known[parent])
    waiting = [release for release in known.values() if release.state in _WAITING]
    return tuple(sorted((r for r in (*line, *waiting) if r.model.adapter is not None), key=lambda r: r.number))


def load(connection: Connection, number: int) -> Release:
    """`get` within a transaction."""
    row = connection.execute(select(tables.releases).where(tables.releases.c.number == number)).mappings().one_or_none()
    if row is None:
        raise NoSuchRelease(f"there is no release {number}. See `sealed releases`.")
    return rows.release_of(row)


def current(connection: Connection) -> Release:
    """`production` within a transaction."""
    query = select(tables.releases).where(tables.releases.c.state == ReleaseState.PRODUCTION)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise _emptied()
    return rows.release_of(row)


def _emptied() -> DatabaseFailed:
    return DatabaseFailed(
        "the ledger holds no production release: it was emptied, or not put back whole. Put its backup back, or make a "
        "new workspace in another folder with `sealed init`."
    )


def every(connection: Connection) -> tuple[Release, ...]:
    """`listed` within a transaction."""
    query = select(tables.releases).order_by(tables.releases.c.number)
    return tuple(rows.release_of(row) for row in connection.execute(query).mappings())


def history(connection: Connection) -> tuple[Deployment, ...]:
    """`deployments` within a transaction."""
    query = select(tables.deployments).order_by(tables.deployments.c.epoch)
    return tuple(rows.deployment_of(row) for row in connection.execute(query).mappings())


def epoch(connection: Connection) -> int:
    """The epoch of the newest deployment, within a transaction."""
    return int(connection.execute(select(func.max(tables.deployments.c.epoch))).scalar_one())
