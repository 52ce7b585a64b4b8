"""The run's lease between real processes: one works, a dead one loses it at once, a late one can write nothing."""

import subprocess
import sys
import time

import pytest
from sqlalchemy import update

from pipeline.errors import LeaseLost, LockedError
from registry.store import Store, documents, lease, runs
from registry.tables import leases
from tests.ledgers import Ledger, intake

HOLD = """
import sys, time
from registry.store import lease, open_store
held = lease.acquire(open_store(sys.argv[1]), ttl=600.0)
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


def test_one_run_works_and_the_other_hears_who_it_is(url: str, store: Store) -> None:
    child = hold_elsewhere(url)
    try:
        with pytest.raises(LockedError, match=str(child.pid)), lease.run_lease(store):
            pass
        holder = lease.holder(store)
        assert holder is not None
        assert str(child.pid) in holder.holder
    finally:
        end(child)


def test_a_killed_holder_of_this_host_loses_the_lease_at_once(url: str, store: Store) -> None:
    end(hold_elsewhere(url))
    assert lease.holder(store) is None
    with lease.run_lease(store) as held:
        assert held.epoch == 2


def test_a_reused_process_id_is_not_taken_for_the_holder(store: Store) -> None:
    held = lease.acquire(store, ttl=600.0)
    host, pid, started = held.holder.rsplit(":", 2)
    with store.write() as connection:
        connection.execute(update(leases).values(holder=f"{host}:{pid}:{float(started) - 3600:.2f}"))
    assert lease.acquire(store, ttl=600.0).epoch == held.epoch + 1


def test_a_holder_on_another_host_loses_the_lease_only_with_time(store: Store) -> None:
    held = lease.acquire(store, ttl=600.0)
    with store.write() as connection:
        connection.execute(update(leases).values(holder="elsewhere:1:1.00"))
    with pytest.raises(LockedError, match="elsewhere"):
        lease.acquire(store, ttl=600.0)
    with store.write() as connection:
        connection.execute(update(leases).values(expires=time.time() - 1))
    assert lease.acquire(store, ttl=600.0).epoch == held.epoch + 1


def test_the_lease_is_renewed_while_it_is_held_and_free_afterwards(store: Store) -> None:
    with lease.run_lease(store, ttl=0.6) as held:
        deadline = time.monotonic() + 30
        while (now := lease.holder(store)) is None or now.expires <= held.expires:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(LockedError):
            lease.acquire(store, ttl=600.0)
    assert lease.holder(store) is None


def test_a_run_that_lost_its_lease_writes_nothing(ledger: Ledger) -> None:
    documents.accept(ledger.store, intake("atlas"))
    stale = lease.acquire(ledger.store, ttl=-1.0)
    run = ledger.begin(stale)
    with ledger.working() as held:
        before = runs.get(ledger.store, run.number)
        with pytest.raises(LeaseLost, match="took over"):
            ledger.gate(stale, run)
        with pytest.raises(LeaseLost):
            runs.abandon(ledger.store, stale, run.number, "late")
        with pytest.raises(LeaseLost):
            lease.renew(ledger.store, stale, 60.0)
        assert runs.get(ledger.store, run.number) == before
        assert runs.abandon(ledger.store, held, run.number, "the other run stopped").documents == run.documents
