"""The run's lease between real processes: one works, a dead one loses it at once, a late one can write nothing."""

import subprocess
import sys
import time

import pytest
from sqlalchemy import update

import registry
from pipeline.errors import LeaseLost, LockedError
from registry import LedgerSession
from registry.store import lease
from registry.tables import leases
from tests.ledgers import Ledger, intake

HOLD = """
import sys, time
from registry import open_ledger
from registry.store import lease
held = lease.acquire(open_ledger(sys.argv[1]).database, ttl=600.0)
print("held", held.epoch, flush=True)
time.sleep(600)
"""


def hold_elsewhere(url: str) -> "subprocess.Popen[str]":
    """Another process that has taken the lease and keeps it."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("held")
    return child


def end(child: "subprocess.Popen[str]") -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_one_run_works_and_the_other_hears_who_it_is(url: str, empty_ledger: registry.Ledger) -> None:
    child = hold_elsewhere(url)
    try:
        with pytest.raises(LockedError, match=str(child.pid)), empty_ledger.session():
            pass
        holder = empty_ledger.lease_holder()
        assert holder is not None
        assert str(child.pid) in holder.holder
    finally:
        end(child)


def test_a_killed_holder_of_this_host_loses_the_lease_at_once(url: str, empty_ledger: registry.Ledger) -> None:
    end(hold_elsewhere(url))
    assert empty_ledger.lease_holder() is None
    with empty_ledger.session() as session:
        assert session.lease.epoch == 2


def test_a_reused_process_id_is_not_taken_for_the_holder(empty_ledger: registry.Ledger) -> None:
    held = lease.acquire(empty_ledger.database, ttl=600.0)
    host, pid, started = held.holder.rsplit(":", 2)
    with empty_ledger.database.write() as connection:
        connection.execute(update(leases).values(holder=f"{host}:{pid}:{float(started) - 3600:.2f}"))
    assert lease.acquire(empty_ledger.database, ttl=600.0).epoch == held.epoch + 1


def test_a_holder_on_another_host_loses_the_lease_only_with_time(empty_ledger: registry.Ledger) -> None:
    held = lease.acquire(empty_ledger.database, ttl=600.0)
    with empty_ledger.database.write() as connection:
        connection.execute(update(leases).values(holder="elsewhere:1:1.00"))
    with pytest.raises(LockedError, match="elsewhere"):
        lease.acquire(empty_ledger.database, ttl=600.0)
    with empty_ledger.database.write() as connection:
        connection.execute(update(leases).values(expires=time.time() - 1))
    assert lease.acquire(empty_ledger.database, ttl=600.0).epoch == held.epoch + 1


def test_the_lease_is_renewed_while_it_is_held_and_free_afterwards(empty_ledger: registry.Ledger) -> None:
    with lease.run_lease(empty_ledger.database, ttl=0.6) as held:
        deadline = time.monotonic() + 30
        while (now := empty_ledger.lease_holder()) is None or now.expires <= held.expires:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(LockedError):
            lease.acquire(empty_ledger.database, ttl=600.0)
    assert empty_ledger.lease_holder() is None


def test_a_run_that_lost_its_lease_writes_nothing(ledger: Ledger) -> None:
    ledger.documents.accept(intake("atlas"))
    late = lease.acquire(ledger.database, ttl=-1.0)
    stale = LedgerSession(ledger.database, late)
    run = ledger.begin(stale)
    with ledger.session() as session:
        before = ledger.runs.get(run.number)
        with pytest.raises(LeaseLost, match="took over"):
            ledger.gate(stale, run)
        with pytest.raises(LeaseLost):
            stale.runs.abandon(run.number, "late")
        with pytest.raises(LeaseLost):
            lease.renew(ledger.database, late, 60.0)
        assert ledger.runs.get(run.number) == before
        assert session.runs.abandon(run.number, "the other run stopped").documents == run.documents
