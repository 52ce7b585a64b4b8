"""All that may happen to releases, in any order, breaks no invariant: on SQLite and on Postgres."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis.stateful import rule
from sqlalchemy import create_engine, make_url, text

from benchmarks.faults.facts import read_postgres
from benchmarks.faults.stories import Fresh, run, stores_on_sqlite, told
from registry import create_ledger
from tests.faults.lifecycle_machine import LifecycleMachine, Store
from tests.ledgers import with_base_release
from tests.postgres_servers import postgres_server

MANY = (500, 50)  # stories, and the steps of each; `benchmarks.faults.stories` tells more


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Fresh:
    return stores_on_sqlite(tmp_path)


@pytest.fixture
def on_postgres() -> Iterator[Fresh]:
    with postgres_server() as address:
        yield _databases(address)


def _databases(address: str) -> Fresh:
    server, numbers = make_url(address), count()
    template = server.set(database="machine_template")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE machine_template"))
    with_base_release(create_ledger(template.render_as_string(hide_password=False))).close()

    def fresh() -> Store:
        name = f"machine_{next(numbers)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE machine_template"))
        address = server.set(database=name)
        plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
        return Store(address.render_as_string(hide_password=False), lambda: read_postgres(plain))

    return fresh


def test_a_few_stories_on_sqlite(on_sqlite: Fresh) -> None:
    run(on_sqlite, examples=12, steps=30)


@pytest.mark.slow
def test_many_stories_on_sqlite(on_sqlite: Fresh) -> None:
    run(on_sqlite, examples=MANY[0], steps=MANY[1])


@pytest.mark.slow
def test_stories_on_postgres(on_postgres: Fresh) -> None:
    run(on_postgres, examples=15, steps=40)


def test_a_chunk_of_stories_is_told_with_what_broke_it() -> None:
    class Forged(LifecycleMachine):
        @rule()
        def forget(self) -> None:
            """The base release is called rejected behind sealed's back."""
            self._write("rejected", 0)

    sound, broken = (told(7, stories=3, steps=10, machine=one) for one in (LifecycleMachine, Forged))

    assert sound.broken == ""
    assert sound.stories >= 3
    assert 0 < sound.steps <= 10 * sound.stories
    assert "release 0 is rejected, and its history ends in" in broken.broken
