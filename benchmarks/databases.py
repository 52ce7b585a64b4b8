"""Empty databases for the ledgers of benchmarks: SQLite in the workspace, or one on a Postgres server, then dropped."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

_SETTING = "SEALED_DATABASE_URL"


@contextmanager
def empty_database(server: str | None) -> Iterator[str | None]:
    """Where workspaces that are made meanwhile keep their ledger, in this process and those it starts.

    `server`: the address of a Postgres server, whose own database is left alone; None: SQLite, in the workspace.
    Yields the new database's address.
    """
    if server is None:
        yield None
        return
    name = f"sealed_{uuid4().hex}"
    address = make_url(server).set(database=name).render_as_string(hide_password=False)
    _execute(server, f"CREATE DATABASE {name}")
    before = os.environ.get(_SETTING)
    use_database(address)
    try:
        yield address
    finally:
        use_database(before)
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def use_database(address: str | None) -> None:
    """Makes workspaces that are opened from now on keep their ledger there; None: where they do by themselves."""
    if address is None:
        os.environ.pop(_SETTING, None)
    else:
        os.environ[_SETTING] = address


def kind_of(server: str | None) -> str:
    """What the ledger is kept in, as figures name it."""
    return "Postgres" if server else "SQLite"


def _execute(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
