"""Benchmarks on Postgres leave nothing behind, and nobody else's database is touched."""

import os

import pytest
from sqlalchemy import create_engine, text

from benchmarks.databases import empty_database


def databases(server: str) -> set[str]:
    engine = create_engine(server)
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
    engine.dispose()
    return found


def test_a_database_of_its_own_is_made_named_and_dropped(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALED_DATABASE_URL", raising=False)
    before = databases(postgres)
    with empty_database(postgres) as address:
        assert address is not None
        assert os.environ["SEALED_DATABASE_URL"] == address
        (made,) = databases(postgres) - before
        assert made in address
        held = create_engine(address).connect()  # as a process would that was not stopped
    assert databases(postgres) == before
    assert "SEALED_DATABASE_URL" not in os.environ
    held.invalidate()


def test_without_a_server_the_ledger_is_where_the_workspace_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALED_DATABASE_URL", raising=False)
    with empty_database(None) as address:
        assert (address, "SEALED_DATABASE_URL" in os.environ) == (None, False)
