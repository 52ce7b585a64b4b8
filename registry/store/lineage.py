"""How a release's adapter came about: back along warm starts, to the first that was trained from the base."""

from sqlalchemy import Connection, select

from pipeline.types import Release, RunKind, Update
from registry.store import releases, reports
from registry.store.database import Store
from registry.tables import runs


def kinds_behind(store: Store, number: int) -> frozenset[RunKind]:
    """The kinds of the runs that made this release's adapter: after a rebuild it is the first."""
    with store.read() as connection:
        made = [release.number for release, _ in behind(connection, releases.load(connection, number))]
        kinds = connection.execute(select(runs.c.kind).where(runs.c.release.in_(made))).scalars()
        return frozenset(RunKind(kind) for kind in kinds)


def behind(connection: Connection, release: Release) -> tuple[tuple[Release, Update], ...]:
    """The releases that made this one's adapter, itself first, each with its update; none for the base model."""
    found: list[tuple[Release, Update]] = []
    while release.number and release.parent is not None:
        made = reports.load_update(connection, release.update)
        found.append((release, made))
        if made.parent.adapter is None:
            break
        release = releases.load(connection, release.parent)
    return tuple(found)
