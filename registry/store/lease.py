"""The run's lease: one run works at a time, and a run that lost its lease can write nothing any more.

The epoch fences (Kleppmann, "How to do distributed locking", 2016). Knows nothing of what the holder does.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, insert, select, update

from pipeline.errors import DatabaseFailed, LeaseLost, LockedError
from pipeline.types import Lease
from registry.store import rows
from registry.store.database import Store
from registry.tables import leases


@contextmanager
def run_lease(store: Store, *, ttl: float = 60.0, name: str = "run") -> Iterator[Lease]:
    """Holds the lease for the block, renewing it in the background every third of `ttl` seconds.

    Raises LockedError, naming the holder, if another living run has it. A holder on this host whose process is gone
    loses it at once, any other after `ttl` seconds without a renewal.
    """
    held = acquire(store, ttl=ttl, name=name)
    stop = threading.Event()
    beat = threading.Thread(target=_keep, args=(store, held, ttl, stop), name="lease", daemon=True)
    beat.start()
    try:
        yield held
    finally:
        stop.set()
        beat.join()
        _release(store, held)


def acquire(store: Store, *, ttl: float, name: str = "run") -> Lease:
    """Takes the lease for `ttl` seconds. Raises LockedError as `run_lease` does."""
    with store.write() as connection:
        found = _row(connection, name)
        if found is not None and found["holder"] is not None and _alive(found["holder"], found["expires"]):
            since = found["since"].isoformat(timespec="seconds")
            raise LockedError(f"another run holds the {name} since {since} ({found['holder']}): nothing was done.")
        epoch = 1 if found is None else found["epoch"] + 1
        held = Lease(name=name, epoch=epoch, holder=identity(), since=rows.now(), expires=time.time() + ttl)
        values = {"epoch": epoch, "holder": held.holder, "since": held.since, "expires": held.expires}
        if found is None:
            connection.execute(insert(leases).values(name=name, **values))
        else:
            connection.execute(update(leases).where(leases.c.name == name).values(values))
    return held


def renew(store: Store, held: Lease, ttl: float) -> Lease:
    """Holds on for another `ttl` seconds. Raises LeaseLost if another run has it."""
    renewed = replace(held, expires=time.time() + ttl)
    with store.write() as connection:
        check(connection, held)
        connection.execute(update(leases).where(leases.c.name == held.name).values(expires=renewed.expires))
    return renewed


def check(connection: Connection, held: Lease) -> None:
    """Fences a write: raises LeaseLost unless `held` is still the newest lease, within the same transaction."""
    found = _row(connection, held.name)
    if found is None or found["epoch"] != held.epoch or found["holder"] != held.holder:
        raise LeaseLost(
            f"another run ({found['holder'] if found else 'unknown'}) took over the {held.name}: this one stopped and "
            "wrote nothing more. See `sealed status`."
        )


def holder(store: Store, name: str = "run") -> Lease | None:
    """Who works now: the living holder of the lease, or None."""
    with store.read() as connection:
        found = _row(connection, name)
    if found is None or found["holder"] is None or not _alive(found["holder"], found["expires"]):
        return None
    return Lease(**found)


def identity() -> str:
    """This process as host:pid:start time, so that a later process with the same id is not taken for it."""
    import psutil

    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def _alive(held_by: str, expires: float) -> bool:
    return time.time() < expires and not _gone(held_by)


def _gone(held_by: str) -> bool:
    """Whether the holder is a process of this host that runs no more. Unknown for other hosts: then only time tells."""
    import psutil

    host, pid, started = held_by.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        # A corrected clock moves start times a little; a reused process id differs by far more.
        return bool(abs(process.create_time() - float(started)) > 2.0 or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _row(connection: Connection, name: str) -> RowMapping | None:
    return connection.execute(select(leases).where(leases.c.name == name)).mappings().one_or_none()


def _keep(store: Store, held: Lease, ttl: float, stop: threading.Event) -> None:
    while not stop.wait(ttl / 3):
        try:
            renew(store, held, ttl)
        except LeaseLost:
            # The holder learns of it at its next write, which is fenced.
            return
        except DatabaseFailed:
            # Tried again at the next beat; if it stays so, the lease runs out and the fence holds.
            continue


def _release(store: Store, held: Lease) -> None:
    mine = (leases.c.name == held.name, leases.c.epoch == held.epoch, leases.c.holder == held.holder)
    with store.write() as connection:
        connection.execute(update(leases).where(*mine).values(holder=None))
