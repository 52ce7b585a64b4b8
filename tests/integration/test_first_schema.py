"""The first schema says what our tables say, and a SQLite on the defensive, as macOS' own is, makes it too."""

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, inspect

import registry
from registry.tables import METADATA

DEFENSIVE = 1010  # SQLITE_DBCONFIG_DEFENSIVE of sqlite3.h


def go_on_the_defensive(connection: sqlite3.Connection) -> None:
    """Switches DEFENSIVE on: with Python's own call from 3.12 on, and through the C library before that."""
    if hasattr(connection, "setconfig"):
        connection.setconfig(DEFENSIVE, True)
        return
    library = ctypes.CDLL(_sqlite3.__file__)
    if not hasattr(library, "sqlite3_db_config"):
        pytest.skip("this Python hides its SQLite library: DEFENSIVE cannot be switched on")
    # The first member of CPython's connection object is its `sqlite3 *`.
    handle = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__)
    assert library.sqlite3_db_config(handle, DEFENSIVE, 1, None) == 0


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What every SQLite connection that is opened from now on executes; each is on the defensive."""
    seen: list[str] = []

    def connected(connection: sqlite3.Connection, record: object) -> None:
        go_on_the_defensive(connection)
        connection.set_trace_callback(seen.append)

    event.listen(Engine, "connect", connected)
    yield seen
    event.remove(Engine, "connect", connected)


def test_a_sqlite_on_the_defensive_refuses_to_have_its_schema_rewritten() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE known (state TEXT)")
    go_on_the_defensive(connection)
    connection.execute("PRAGMA writable_schema = ON")
    with pytest.raises(sqlite3.OperationalError, match="may not be modified"):
        connection.execute("UPDATE sqlite_master SET sql = sql")
    connection.close()


def test_a_ledger_is_made_on_the_defensive(tmp_path: Path, statements: list[str]) -> None:
    registry.create_ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    assert any("CREATE TABLE releases" in statement for statement in statements)
    assert not [statement for statement in statements if "writable_schema" in statement]


def test_the_database_holds_the_constraints_that_our_tables_name(empty_ledger: registry.Ledger, tmp_path: Path) -> None:
    named = create_engine(f"sqlite:///{tmp_path / 'named.db'}")
    METADATA.create_all(named)
    wanted, made = inspect(named), inspect(empty_ledger.database.engine)
    for table in METADATA.tables:
        for kind in ("get_check_constraints", "get_foreign_keys", "get_unique_constraints", "get_indexes"):
            names = {each["name"] for each in getattr(wanted, kind)(table)}
            assert {each["name"] for each in getattr(made, kind)(table)} >= names, (table, kind)
        checks = {each["name"]: each["sqltext"] for each in wanted.get_check_constraints(table)}
        if empty_ledger.database.engine.dialect.name == "sqlite":
            assert {each["name"]: each["sqltext"] for each in made.get_check_constraints(table)} == checks
        assert len(made.get_check_constraints(table)) == len(checks)
    named.dispose()
