"""A machine that does to a ledger whatever runs, people, attackers and clocks may do, in any order.

After each step the harness's independent judge holds the invariants against what the database then says. There is no
model, no file and no MLflow here: the schedules of `benchmarks.faults` have those.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import text

from benchmarks.faults import invariants
from benchmarks.faults.facts import Facts, Row
from pipeline.errors import CorruptAdapter, InternalError, LeaseLost, LedgerTampered, LockedError, SealedError
from pipeline.types import Approval, ReleaseState, Run, RunState, Verdict
from registry import LedgerSession, open_ledger
from registry.store import lease as leases
from tests.ledgers import KEYS, NOON, RECIPE, Ledger, document, intake, manifest_of

NAMES = tuple(f"service-{number}" for number in range(6))
PEOPLE = ("ada", "grace", "sealed", "SEALED")
_TTL = 3600.0


@dataclass(frozen=True)
class Store:
    """A fresh ledger with its base release: its address, and how to read its tables with no code of ours."""

    url: str
    read: Callable[[], dict[str, list[Row]]]


class LifecycleMachine(RuleBasedStateMachine):
    """`fresh` makes the store of one example; it is set by the test."""

    fresh: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).fresh()
        self.ledger = Ledger(open_ledger(self.store.url).database)
        self.now = NOON + timedelta(hours=1)
        self.session: LedgerSession | None = None
        self.stale: list[tuple[LedgerSession, int]] = []
        self.approvals: list[Approval] = []
        self.before: Facts | None = None

    def teardown(self) -> None:
        self.ledger.close()

    @property
    def run(self) -> Run | None:
        return self.ledger.runs.unfinished()

    @invariant()
    def all_invariants_hold(self) -> None:
        now = Facts(tables=self.store.read(), keys=KEYS.trusted)
        if found := invariants.violations(now, self.before, quiet=False):
            raise AssertionError("; ".join(found))
        self.before = now

    # Documents and runs.

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
    def ingest(self, names: set[str]) -> None:
        self.ledger.documents.accept(intake(*sorted(names)), self.now)

    @precondition(lambda self: self.session is None)
    @rule()
    def start(self) -> None:
        lease = leases.acquire(self.ledger.database, ttl=_TTL)
        self.session = LedgerSession(self.ledger.database, lease)
        if self.run is None:
            oldest = [one.id for one in self.ledger.documents.queued()][:3]
            self.session.runs.begin(documents=oldest, proposer="sealed", recipe=RECIPE, at=self.now)
        if self.run is None:
            self.end()  # no document waited

    @precondition(lambda self: self.session is not None)
    @rule()
    def start_another(self) -> None:
        with suppress(LockedError):
            leases.acquire(self.ledger.database, ttl=_TTL)
            raise AssertionError("two runs hold the lease")

    @precondition(lambda self: self.session is not None)
    @rule(verdict=st.sampled_from((Verdict.PASS, Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)))
    def gate(self, verdict: Verdict) -> None:
        if (run := self.run) is not None and run.state is not RunState.REGISTERING:
            self.ledger.gate(self._working(), run, verdict)

    @precondition(lambda self: self.session is not None)
    @rule()
    def intend(self) -> None:
        run = self.run
        if run is not None and run.update is not None and run.report is not None:
            self._may_refuse(self._intend, run)

    @precondition(lambda self: self.session is not None)
    @rule(up=st.booleans())
    def register(self, up: bool) -> None:
        """Where MLflow is down, the release goes on being registered, and a later step tries again."""
        run = self.run
        if up and run is not None and run.release is not None:
            self._may_refuse(self._working().candidates.record, run.number, str(run.release), self.now)

    @precondition(lambda self: self.session is not None)
    @rule(why=st.sampled_from(("out of memory", "the loss is not a number", "a gate failed")))
    def fail(self, why: str) -> None:
        if (run := self.run) is not None:
            state = RunState.REJECTED_BY_GATES if why == "a gate failed" else RunState.FAILED
            self._may_refuse(self._working().runs.finish, run.number, state, why, (), self.now)

    @precondition(lambda self: self.session is not None)
    @rule()
    def abandon(self) -> None:
        if (run := self.run) is not None:
            self._may_refuse(self._working().runs.abandon, run.number, "given up", self.now)

    @precondition(lambda self: self.session is not None)
    @rule()
    def end(self) -> None:
        leases._release(self.ledger.database, self._working().lease)
        self.session = None

    @precondition(lambda self: self.session is not None)
    @rule()
    def crash(self) -> None:
        """The run's process hangs until its lease is over; it may wake up."""
        session = self._working()
        self.stale.append((session, self.run.number if self.run else 0))
        with self.ledger.database.write() as connection:
            connection.execute(text("UPDATE leases SET expires = 0"))
        self.session = None
        self.start()

    @precondition(lambda self: bool(self.stale))
    @rule(which=st.integers(0, 20))
    def wake(self, which: int) -> None:
        session, run = self.stale[which % len(self.stale)]
        with suppress(LeaseLost):
            session.runs.abandon(run, "it slept")
            raise AssertionError("a run that lost its lease wrote")

    @precondition(lambda self: self.session is None)
    @rule(name=st.sampled_from(NAMES), who=st.sampled_from(PEOPLE), crashed=st.booleans(), promoted=st.booleans())
    def whole_run(self, name: str, who: str, crashed: bool, promoted: bool) -> None:
        """All steps of a run in order, and often its approval: at random they seldom follow one another."""
        self.ingest({name})
        self.start()
        if self.session is not None and crashed:
            self.crash()
        if self.session is not None:
            self.gate(Verdict.PASS)
            self.intend()
            self.register(True)
            self.end()
        self.approve(0, who)
        if promoted and self.approvals:
            self.promote(0, 0)

    @rule(name=st.sampled_from(NAMES))
    def requeue(self, name: str) -> None:
        """An operator lets a run try a document again."""
        self._may_refuse(self.ledger.documents.requeue, [document(name).id])

    # Decisions.

    @rule(which=st.integers(0, 20), who=st.sampled_from(PEOPLE))
    def approve(self, which: int, who: str) -> None:
        given = self._may_refuse(self.ledger.approve, self._number(which), who, at=self.now)
        if given is not None:
            self.approvals.append(given)

    @precondition(lambda self: bool(self.approvals))
    @rule(which=st.integers(0, 20), late=st.integers(0, 9))
    def promote(self, which: int, late: int) -> None:
        approval = self.approvals[-1 - which % len(self.approvals)]
        self._may_refuse(self.ledger.record, approval, self.now + timedelta(days=late if late > 7 else 0))

    @precondition(lambda self: bool(self.approvals))
    @rule()
    def promote_a_damaged_one(self) -> None:
        with suppress(SealedError):
            self.ledger.record(self.approvals[-1], self.now, verify=_damaged)
            raise AssertionError("a damaged adapter was promoted")

    @precondition(lambda self: bool(self.approvals))
    @rule(name=st.sampled_from(PEOPLE))
    def forge_an_approval(self, name: str) -> None:
        """The approval of another release, or in another's name, is handed in."""
        newest = max(one.number for one in self.ledger.releases.listed())
        self._may_refuse(self.ledger.record, replace(self.approvals[-1], release=newest, actor=name), self.now)

    @rule(which=st.integers(0, 20))
    def reject(self, which: int) -> None:
        self._may_refuse(self.ledger.reject, self._number(which))

    @rule()
    def expire(self) -> None:
        self.ledger.deployments.expire(approval_days=7.0, at=self.now)

    @rule(which=st.integers(-1, 20))
    def roll_back(self, which: int) -> None:
        self._may_refuse(self.ledger.rollback, None if which < 0 else self._number(which))

    @rule(which=st.integers(0, 20))
    def roll_back_to_a_damaged_one(self, which: int) -> None:
        if number := self._number(which):
            with suppress(SealedError):
                self.ledger.rollback(number, verify=_damaged)
                raise AssertionError("a damaged adapter was put back")

    @rule(which=st.integers(0, 20))
    def forge_a_row(self, which: int) -> None:
        """The ledger calls another release superseded, and nothing is decided on it until that is put back."""
        release = self.ledger.releases.get(self._number(which))
        if release.state in (ReleaseState.PRODUCTION, ReleaseState.SUPERSEDED):
            return
        self._write("superseded", release.number)
        with suppress(LedgerTampered):
            self.ledger.rollback(release.number)
            raise AssertionError("a forged row was rolled back to")
        self._write(release.state.value, release.number)

    # The world.

    @rule(days=st.sampled_from((-2.0, 0.1, 1.0, 6.9, 7.1)))
    def jump(self, days: float) -> None:
        """The clock jumps."""
        self.now += timedelta(days=days)

    @rule()
    def restart(self) -> None:
        """Every process ends; the database is opened anew."""
        self.ledger.close()
        self.ledger = Ledger(open_ledger(self.store.url).database)
        with self.ledger.database.write() as connection:
            connection.execute(text("UPDATE leases SET expires = 0"))
        self.session, self.stale = None, []

    def _number(self, which: int) -> int:
        known = self.ledger.releases.listed()
        return known[-1 - which % len(known)].number

    def _working(self) -> LedgerSession:
        assert self.session is not None
        return self.session

    def _intend(self, run: Run) -> None:
        manifest = manifest_of(self.ledger.reports.update(str(run.update)))
        self._working().candidates.intend(run.number, manifest, self.now)

    def _write(self, state: str, number: int) -> None:
        with self.ledger.database.write() as connection:
            statement = text("UPDATE releases SET state = :state WHERE number = :number")
            connection.execute(statement, {"state": state, "number": number})

    def _may_refuse(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Does it, or hears why not: in a typed error that is no mistake of our own."""
        try:
            return what(*given, **named)
        except InternalError:
            raise
        except SealedError:
            return None


def _damaged(*_: Any) -> None:
    raise CorruptAdapter("the adapter is damaged: train it again.")
