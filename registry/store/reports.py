"""Gate reports and updates, by digest. They are written with the run that made them and never change."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from pipeline.errors import InternalError
from pipeline.types import GateReport, Update
from registry.store.database import Database
from registry.tables import reports, updates


@dataclass(frozen=True)
class Reports:
    """Reads reports and updates."""

    database: Database

    def get(self, digest: str) -> GateReport:
        """The report of that digest."""
        with self.database.read() as connection:
            return load(connection, digest)

    def update(self, id_: str) -> Update:
        """The update of that id."""
        with self.database.read() as connection:
            return load_update(connection, id_)


def load(connection: Connection, digest: str) -> GateReport:
    """The report of that digest, within a transaction."""
    found: GateReport | None = connection.execute(
        select(reports.c.body).where(reports.c.digest == digest)
    ).scalar_one_or_none()
    if found is None:
        raise InternalError(f"the ledger lost the report {digest}. Please report it.")
    return found


def load_update(connection: Connection, id_: str) -> Update:
    """The update of that id, within a transaction."""
    found: Update | None = connection.execute(select(updates.c.body).where(updates.c.id == id_)).scalar_one_or_none()
    if found is None:
        raise InternalError(f"the ledger lost the update {id_}. Please report it.")
    return found


def add(connection: Connection, report: GateReport) -> None:
    """Writes a report unless it is there."""
    if connection.execute(select(reports.c.digest).where(reports.c.digest == report.digest)).first() is None:
        connection.execute(insert(reports).values(digest=report.digest, verdict=report.verdict, body=report))


def add_update(connection: Connection, made: Update) -> None:
    """Writes an update unless it is there."""
    if connection.execute(select(updates.c.id).where(updates.c.id == made.id)).first() is None:
        connection.execute(insert(updates).values(id=made.id, body=made))
