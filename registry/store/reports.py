"""Gate reports and updates, by digest. They are written with the run that made them and never change."""

from sqlalchemy import Connection, insert, select

from pipeline.errors import InternalError
from pipeline.types import GateReport, Update
from registry.store import rows
from registry.store.database import Store
from registry.tables import reports, updates


def get(store: Store, digest: str) -> GateReport:
    """The report of that digest."""
    with store.read() as connection:
        return load(connection, digest)


def update(store: Store, id_: str) -> Update:
    """The update of that id."""
    with store.read() as connection:
        return load_update(connection, id_)


def load(connection: Connection, digest: str) -> GateReport:
    """`get` within a transaction."""
    body = connection.execute(select(reports.c.body).where(reports.c.digest == digest)).scalar_one_or_none()
    if body is None:
        raise InternalError(f"the ledger lost the report {digest}. Please report it.")
    return rows.decode(GateReport, body)


def load_update(connection: Connection, id_: str) -> Update:
    """`update` within a transaction."""
    body = connection.execute(select(updates.c.body).where(updates.c.id == id_)).scalar_one_or_none()
    if body is None:
        raise InternalError(f"the ledger lost the update {id_}. Please report it.")
    return rows.decode(Update, body)


def add(connection: Connection, report: GateReport) -> None:
    """Writes a report unless it is there."""
    if connection.execute(select(reports.c.digest).where(reports.c.digest == report.digest)).first() is None:
        values = {"digest": report.digest, "verdict": report.verdict, "body": rows.encode(report)}
        connection.execute(insert(reports).values(values))


def add_update(connection: Connection, made: Update) -> None:
    """Writes an update unless it is there."""
    if connection.execute(select(updates.c.id).where(updates.c.id == made.id)).first() is None:
        connection.execute(insert(updates).values(id=made.id, body=rows.encode(made)))
