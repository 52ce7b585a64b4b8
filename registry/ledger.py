"""The ledger: one noun for what is known and decided, and one for a run that writes to it under its lease."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from pipeline.types import Lease
from registry.deploy import Deployments
from registry.store import lease as leases
from registry.store.canaries import Canaries
from registry.store.candidates import Candidates
from registry.store.contents import Contents
from registry.store.database import Database, FencedDatabase, open_database
from registry.store.documents import Documents, SessionDocuments
from registry.store.releases import Releases, Reports
from registry.store.review_decisions import ReviewDecisions
from registry.store.runs import Runs, SessionRuns
from registry.store.self_edits import SelfEdits, SessionSelfEdits
from registry.store.withdrawals import Withdrawals
from registry.store.writer_trainings import SessionWriterTrainings, WriterTrainings


class Ledger:
    """An open ledger: all that is read from it, and the decisions of people, which need no lease."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.documents = Documents(database)
        self.releases = Releases(database)
        self.deployments = Deployments(database)
        self.runs = Runs(database)
        self.reports = Reports(database)
        self.review_decisions = ReviewDecisions(database)
        self.self_edits = SelfEdits(database)
        self.withdrawals = Withdrawals(database)
        self.writer_trainings = WriterTrainings(database)
        self.canaries = Canaries(database)
        self.contents = Contents(database)

    @property
    def address(self) -> str:
        """Where the database is, without secrets."""
        return self.database.address

    @contextmanager
    def session(self) -> Iterator["LedgerSession"]:
        """A session for one run, which holds the lease for the block.

        Raises LockedError, naming the holder, if another living run has the lease.
        """
        with leases.run_lease(self.database) as lease:
            yield LedgerSession(self.database, lease)

    def lease_holder(self) -> Lease | None:
        """The lease of the run that works now, or None."""
        return leases.holder(self.database)

    def close(self) -> None:
        self.database.close()


class LedgerSession:
    """All that one run writes. Each write checks the lease in its transaction, and raises LeaseLost if it is lost."""

    def __init__(self, database: Database, lease: Lease) -> None:
        fenced = FencedDatabase(database, partial(leases.check, lease))
        self.lease = lease
        self.documents = SessionDocuments(fenced)
        self.runs = SessionRuns(fenced)
        self.candidates = Candidates(fenced)
        self.self_edits = SessionSelfEdits(fenced)
        self.writer_trainings = SessionWriterTrainings(fenced)


def open_ledger(url: str, *, busy_seconds: float = 30.0) -> Ledger:
    """Opens the ledger at `url` and brings it to this version's schema. `busy_seconds`: how long a writer waits.

    Raises DatabaseFailed if there is no ledger, or if it cannot be opened or is of a schema not known here.
    """
    return Ledger(open_database(url, create=False, busy_seconds=busy_seconds))


def create_ledger(url: str, *, busy_seconds: float = 30.0) -> Ledger:
    """Opens the database at `url` and makes the ledger's tables where there are none yet. Idempotent.

    Raises DatabaseFailed if it cannot be opened, is no database, or is of a schema not known here.
    """
    return Ledger(open_database(url, create=True, busy_seconds=busy_seconds))
