"""Whether all that the ledger holds still is what its name says, which is a digest of it. Decides nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Select, select

from pipeline.types import Document, Release
from registry import audit, columns, tables
from registry.store import releases
from registry.store.database import Database


@dataclass(frozen=True)
class Contents:
    """Recomputes digests."""

    database: Database

    def disagreements(self) -> tuple[str, ...]:
        """What is not what it was when it was written, in sentences without full stops. Reads the whole ledger."""
        with self.database.read() as connection:
            return (*_documents(connection), *_bodies(connection), *_releases(connection))


def _documents(connection: Connection) -> Iterator[str]:
    table = tables.documents
    query: Select[tuple[object, ...]] = select(table).where(table.c.body.is_not(None))
    for row in connection.execute(query).mappings():
        if (now := columns.decode(Document, {**row}).id) != row["id"]:
            yield f"the text of document {row['id'][:12]} ({row['name']}) was changed: it is that of {now[:12]}"


def _bodies(connection: Connection) -> Iterator[str]:
    for what, query in (
        ("update", select(tables.updates.c.id.label("name"), tables.updates.c.body)),
        ("self-edit", select(tables.self_edits.c.id.label("name"), tables.self_edits.c.body)),
        ("report", select(tables.reports.c.digest.label("name"), tables.reports.c.body)),
    ):
        for row in connection.execute(query):
            if (now := releases.name_of(row.body)) != row.name:
                yield f"{what} {row.name[:12]} was changed: it is {now[:12]} now"


def _releases(connection: Connection) -> Iterator[str]:
    known: tuple[Release, ...] = releases.every(connection)
    for release in known:
        if release.report is None:
            continue
        report = connection.execute(
            select(tables.reports.c.body).where(tables.reports.c.digest == release.report)
        ).scalar_one()
        if (objection := audit.against_report(release, report)) is not None:
            yield objection
