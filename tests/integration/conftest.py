"""The databases that the ledger's contract is held on: a SQLite file always, and Postgres where there is one."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

import registry
from tests.ledgers import Ledger, with_base_release
from tests.postgres_servers import postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a Postgres server."""
    with postgres_server() as address:
        yield address


def _fresh_database(server: str) -> str:
    name = f"sealed_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return _fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture
def empty_ledger(url: str) -> Iterator[registry.Ledger]:
    """A ledger without the base release."""
    opened = registry.create_ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def ledger(empty_ledger: registry.Ledger) -> Ledger:
    return with_base_release(empty_ledger)
