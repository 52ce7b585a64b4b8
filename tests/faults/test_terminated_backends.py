"""Postgres ends a promotion's session between any two of its statements: nothing is promoted, and then it is."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, text

from benchmarks.faults import invariants
from benchmarks.faults.facts import Facts, read_postgres
from pipeline.errors import DatabaseFailed
from pipeline.types import Approval
from registry import create_ledger
from tests.ledgers import KEYS, Ledger, intake, manifest_of, with_base_release
from tests.postgres_servers import postgres_server

END = text("SELECT pg_terminate_backend(:pid)")


@pytest.fixture
def address() -> Iterator[str]:
    with postgres_server() as found:
        yield found


def approved(ledger: Ledger) -> Approval:
    """The approval of a release that waits."""
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        update = ledger.gate(session, run)
        release = session.candidates.intend(run.number, manifest_of(update))
        session.candidates.record(run.number, "1")
    return ledger.approve(release.number)


def ending(ledger: Ledger, address: str, nth: int) -> Callable[[], bool]:
    """From now on the session of the ledger's nth statement is ended just before it; whether that was."""
    admin, counted, ended = create_engine(address, isolation_level="AUTOCOMMIT"), [0], [False]

    @event.listens_for(ledger.database.engine, "before_cursor_execute")
    def before(connection: Connection, *_: object) -> None:
        counted[0] += 1
        if counted[0] == nth:
            with admin.connect() as other:
                driver: Any = connection.connection.dbapi_connection
                ended[0] = bool(other.execute(END, {"pid": driver.info.backend_pid}).scalar())

    def stop() -> bool:
        event.remove(ledger.database.engine, "before_cursor_execute", before)
        admin.dispose()
        return ended[0]

    return stop


@pytest.mark.slow
def test_a_promotion_whose_session_is_ended_anywhere_is_made_once_or_not_at_all(address: str) -> None:
    ledger = with_base_release(create_ledger(address))
    plain = address.replace("+psycopg", "")
    approval, refused = approved(ledger), 0
    for nth in range(1, 60):
        stop = ending(ledger, address, nth)
        with suppress(DatabaseFailed):
            ledger.record(approval)
        was_ended = stop()
        facts = Facts(tables=read_postgres(plain), keys=KEYS.trusted)
        assert invariants.violations(facts, quiet=False) == []
        if ledger.releases.production().number:
            break
        assert was_ended
        refused += 1
    ledger.close()
    assert refused >= 5
    assert [one["release"] for one in facts.tables["deployments"]] == [0, 1]
