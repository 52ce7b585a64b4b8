"""All that may happen to releases, in any order, breaks no invariant: on SQLite and on Postgres."""

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import create_engine, make_url, text

from benchmarks.faults.facts import read_postgres, read_sqlite
from registry import create_ledger
from tests.faults.lifecycle_machine import LifecycleMachine, Store
from tests.ledgers import with_base_release
from tests.postgres_servers import postgres_server

# Stories, and the steps of each. A soak takes hours: SEALED_STORIES=soak, or its two numbers.
PROFILES = {"ci": (500, 50), "soak": (10_000, 100)}
CHOSEN = os.environ.get("SEALED_STORIES", "ci")
PROFILE = PROFILES.get(CHOSEN) or tuple(map(int, CHOSEN.split("x")))


def run(fresh: Callable[[], Store], *, examples: int, steps: int) -> None:
    print(f"{examples} stories of {steps} steps")
    machine = type("Machine", (LifecycleMachine,), {"fresh": staticmethod(fresh)})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Callable[[], Store]:
    template, numbers = tmp_path / "template.db", count()
    with_base_release(create_ledger(f"sqlite:///{template}")).close()

    def fresh() -> Store:
        file = Path(shutil.copy(template, tmp_path / f"ledger-{next(numbers)}.db"))
        return Store(f"sqlite:///{file}", lambda: read_sqlite(file))

    return fresh


@pytest.fixture
def on_postgres() -> Iterator[Callable[[], Store]]:
    with postgres_server() as address:
        yield _databases(address)


def _databases(address: str) -> Callable[[], Store]:
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


def test_a_few_stories_on_sqlite(on_sqlite: Callable[[], Store]) -> None:
    run(on_sqlite, examples=12, steps=30)


@pytest.mark.slow
def test_many_stories_on_sqlite(on_sqlite: Callable[[], Store]) -> None:
    run(on_sqlite, examples=PROFILE[0], steps=PROFILE[1])


@pytest.mark.slow
def test_stories_on_postgres(on_postgres: Callable[[], Store]) -> None:
    run(on_postgres, examples=15, steps=40)
