"""The lease of a run: one run works at a time, and a run that lost its lease can write nothing any more.

The epoch fences (Kleppmann, "How to do distributed locking", 2016). Knows nothing of what the holder does.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
from sqlalchemy import Connection, RowMapping, insert, select, update

from pipeline import faults
from pipeline.errors import DatabaseFailed, LeaseLost, LockedError
from pipeline.types import Lease
from registry.store.database import Database, now
from registry.tables import leases


@contextmanager
def run_lease(database: Database, *, ttl: float = 60.0, name: str = "run") -> Iterator[Lease]:
    """Holds the lease for the block, renewing it in the background every third of `ttl` seconds.

    Raises LockedError, naming the holder, if another living run has it. A holder on this host whose process is gone
    loses it at once, any other after `ttl` seconds without a renewal.
    """
    lease = acquire(database, ttl=ttl, name=name)
    stop = threading.Event()
    beat = threading.Thread(target=_keep_renewing, args=(database, lease, ttl, stop), name="lease", daemon=True)
    beat.start()
    try:
        yield lease
    finally:
        stop.set()
        beat.join()
        _release(database, lease)


@faults.effect("lease.acquire", failure=DatabaseFailed)
def acquire(database: Database, *, ttl: float, name: str = "run") -> Lease:
    """Takes the lease for `ttl` seconds. Raises LockedError as `run_lease` does."""
    with database.write() as connection:
        found = _row(connection, name)
        if found is not None and _is_held(found):
            since = found["since"].isoformat(timespec="seconds")
            raise LockedError(
                f"another run is at work since {since} ({process_of(found['holder'])}): nothing was done."
            )
        epoch = 1 if found is None else found["epoch"] + 1
        lease = Lease(name=name, epoch=epoch, holder=identity(), since=now(), expires=time.time() + ttl)
        values = {"epoch": epoch, "holder": lease.holder, "since": lease.since, "expires": lease.expires}
        if found is None:
            connection.execute(insert(leases).values(name=name, **values))
        else:
            connection.execute(update(leases).where(leases.c.name == name).values(values))
    return lease


@faults.effect("lease.renew", failure=DatabaseFailed)
def renew(database: Database, lease: Lease, ttl: float) -> Lease:
    """Extends the lease by another `ttl` seconds. Raises LeaseLost if another run has it."""
    renewed = replace(lease, expires=time.time() + ttl)
    with database.write() as connection:
        check(lease, connection)
        connection.execute(update(leases).where(leases.c.name == lease.name).values(expires=renewed.expires))
    return renewed


def check(lease: Lease, connection: Connection) -> None:
    """Fences a write: raises LeaseLost unless `lease` is still the newest, within the same transaction."""
    found = _row(connection, lease.name)
    if found is None or found["epoch"] != lease.epoch or found["holder"] != lease.holder:
        raise LeaseLost(
            f"another run ({process_of(found['holder']) if found and found['holder'] else 'unknown'}) took over this "
            "run's lease: this one stopped and wrote nothing more. See `sealed status`."
        )


def holder(database: Database, name: str = "run") -> Lease | None:
    """The lease of the run that works now, or None."""
    with database.read() as connection:
        found = _row(connection, name)
    return Lease(**found) if found is not None and _is_held(found) else None


def identity() -> str:
    """This process as host:pid:start time, so that a later process with the same id is not taken for it."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def process_of(holder: str) -> str:
    """The process of an `identity`, in words."""
    host, pid, _ = holder.rsplit(":", 2)
    return f"process {pid} on {host}"


def _is_held(found: RowMapping) -> bool:
    return found["holder"] is not None and time.time() < found["expires"] and not _has_ended(found["holder"])


def _has_ended(holder: str) -> bool:
    """Whether the holder is a process of this host that has ended. False for other hosts, whose leases expire."""
    host, pid, started = holder.rsplit(":", 2)
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


def _keep_renewing(database: Database, lease: Lease, ttl: float, stop: threading.Event) -> None:
    while not stop.wait(ttl / 3):
        try:
            renew(database, lease, ttl)
        except LeaseLost:
            # The holder learns of it at its next write, which is fenced.
            return
        except DatabaseFailed:
            # Tried again at the next beat; if it stays so, the lease runs out and the fence holds.
            continue


@faults.effect("lease.release", failure=DatabaseFailed)
def _release(database: Database, lease: Lease) -> None:
    mine = (leases.c.name == lease.name, leases.c.epoch == lease.epoch, leases.c.holder == lease.holder)
    with database.write() as connection:
        connection.execute(update(leases).where(*mine).values(holder=None))
