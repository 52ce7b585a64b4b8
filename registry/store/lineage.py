"""How a release's adapter came about: back along warm starts, to the first that was trained from the base."""

from sqlalchemy import Connection

from pipeline.types import Release, Update
from registry.store import releases, reports


def behind(connection: Connection, release: Release) -> tuple[tuple[Release, Update], ...]:
    """The releases that made this one's adapter, itself first, each with its update; none for the untouched base."""
    found: list[tuple[Release, Update]] = []
    while release.number and release.parent is not None:
        made = reports.load_update(connection, release.update)
        found.append((release, made))
        if made.parent.adapter is None:
            break
        release = releases.load(connection, release.parent)
    return tuple(found)
