"""Moves production, by an approval or a rollback, and ends candidates that are rejected or expire.

One transaction each, guarded by the epoch. The database decides here; `registry.mlflow.reconcile` makes MLflow match.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from pipeline.actors import against_name
from pipeline.errors import InternalError, PolicyError
from pipeline.types import Approval, Deployment, DocumentState, Release, ReleaseState, RunState, Verdict
from registry import lifecycle, tables
from registry.store import releases, runs
from registry.store.database import Database, now
from registry.tables import approvals, deployments, documents

Verify = Callable[[Release], object]


@dataclass(frozen=True)
class Deployments:
    """The history of production, and the decisions of people that add to it."""

    database: Database

    def listed(self) -> tuple[Deployment, ...]:
        """All that was ever production, oldest first. Raises DatabaseFailed where nothing ever was."""
        with self.database.read() as connection:
            return _history(connection)

    def approve(
        self, number: int, *, actor: str, note: str = "", approval_days: float = 7.0, at: datetime | None = None
    ) -> Approval:
        """A person's approval of the candidate's present manifest, at the current epoch. Nothing is written.

        Raises PolicyError, in words, if the rules are against it, or its figures are older than `approval_days`;
        NoSuchRelease.
        """
        with self.database.read() as connection:
            approval = _approval(connection, number, True, actor, note, at)
            _expect_approvable(connection, approval, approval_days)
        return approval

    def promote(
        self, approval: Approval, *, verify: Verify, approval_days: float = 7.0, at: datetime | None = None
    ) -> Deployment:
        """Makes the approved candidate production: approval, deployment and states change together or not at all.

        `verify` is called before with the release, and raises if its adapter is not fit to serve. Raises PolicyError if
        a rule is against it, or if another promotion or rollback came first.
        """
        at = at or now()
        with self.database.read() as connection:
            release = releases.load(connection, approval.release)
        verify(release)
        with self.database.write() as connection:
            _expect_approvable(connection, approval, approval_days)
            _check(lifecycle.against_age(approval, at, approval_days))
            everything = releases.every(connection)
            connection.execute(insert(approvals).values(tables.fields_of(approval)))
            deployment = _deploy(connection, approval.release, approval.actor, approval.note or "approved", at)
            _move(connection, lifecycle.promotion(everything, approval.release), at)
            _mark_learned(connection, approval.release, approval.actor)
        return deployment

    def reject(self, number: int, *, actor: str, reason: str, at: datetime | None = None) -> Approval:
        """A person's rejection: the candidate is REJECTED and its documents are quarantined with the reason.

        Raises PolicyError.
        """
        words = f"rejected by {actor}: {reason}"
        with self.database.write() as connection:
            _check(lifecycle.against_rejection(releases.load(connection, number), actor, reason))
            rejection = _approval(connection, number, False, actor, reason, at)
            connection.execute(insert(approvals).values(tables.fields_of(rejection)))
            move = lifecycle.Move(release=number, state=ReleaseState.REJECTED, reason=words)
            _move(connection, [move], rejection.at)
            run = _run(connection, number)
            quarantined = {"state": DocumentState.QUARANTINED, "reason": words, "run": None}
            connection.execute(update(documents).where(documents.c.run == run).values(quarantined))
            state, before = RunState.REJECTED_BY_REVIEWER, (RunState.WAITING,)
            runs.change(connection, run, before=before, state=state, sentence=words)
        return rejection

    def expire(self, *, approval_days: float, at: datetime | None = None) -> tuple[lifecycle.Move, ...]:
        """Makes void each candidate whose figures are older than `approval_days`; queues its documents. Idempotent."""
        at = at or now()
        with self.database.write() as connection:
            moves = lifecycle.expired(releases.every(connection), at, approval_days)
            _move(connection, moves, at)
        return moves

    def rollback(
        self, target: int | None, *, actor: str, reason: str, verify: Verify, at: datetime | None = None
    ) -> Deployment:
        """Makes an earlier production release production again: the one before, or `target`; 0 is the base model.

        What came after it is rolled back, and the documents learned there are reverted. Needs the ledger and the local
        adapter only, which `verify` checks before anything moves. Raises PolicyError, in words, if a rule is against
        it: also without a `target` where the newest deployment is a rollback itself.
        """
        if not reason.strip() or against_name(actor) is not None:
            raise PolicyError(
                f"a rollback needs a name and a reason: {against_name(actor) or 'the history keeps both'}."
            )
        with self.database.read() as connection:
            history = _history(connection)
            chosen = lifecycle.rollback_target(releases.every(connection), target, lifecycle.latest_rollback(history))
            if isinstance(chosen, str):
                raise PolicyError(f"{chosen}.")
            release = releases.load(connection, chosen)
        verify(release)
        at = at or now()
        with self.database.write() as connection:
            if _epoch(connection) != history[-1].epoch:
                raise PolicyError(
                    "production moved while the rollback was prepared: see `sealed status`, and decide again."
                )
            moves = lifecycle.rollback(releases.every(connection), chosen, actor, reason)
            deployment = _deploy(connection, chosen, actor, reason, at)
            _move(connection, moves, at)
            fallen = [move.release for move in moves if move.state is ReleaseState.ROLLED_BACK]
            _revert(connection, fallen, f"release {fallen[0]} was rolled back by {actor}: {reason}")
        return deployment

    def rolled_back_to(self, target: int) -> Deployment | None:
        """The newest deployment, where it is a rollback to `target`: then another one to it has nothing to do."""
        done = lifecycle.latest_rollback(self.listed())
        return done if done is not None and done.release == target else None


def _history(connection: Connection) -> tuple[Deployment, ...]:
    rows = connection.execute(select(deployments).order_by(deployments.c.epoch)).mappings().all()
    if not rows:
        raise releases.emptied()
    return tuple(tables.decode(Deployment, {**row}) for row in rows)


def _epoch(connection: Connection) -> int:
    return int(connection.execute(select(func.max(deployments.c.epoch))).scalar_one())


def _approval(
    connection: Connection, number: int, approved: bool, actor: str, note: str, at: datetime | None
) -> Approval:
    return Approval(
        release=number,
        manifest=releases.load(connection, number).manifest,
        approved=approved,
        actor=actor,
        note=note,
        epoch=_epoch(connection),
        at=at or now(),
    )


def _expect_approvable(connection: Connection, approval: Approval, approval_days: float) -> None:
    release = releases.load(connection, approval.release)
    verdict: Verdict | None = (
        None if release.report is None else releases.load_report(connection, release.report).verdict
    )
    production, epoch = releases.production(connection), _epoch(connection)
    _check(lifecycle.against_approval(release, verdict, production, approval, epoch))
    _check(lifecycle.against_waiting(release, approval.at, approval_days))


def _check(objection: str | None) -> None:
    if objection is not None:
        raise PolicyError(f"{objection}.")


def _deploy(connection: Connection, release: int, actor: str, reason: str, at: datetime) -> Deployment:
    deployment = Deployment(epoch=_epoch(connection) + 1, release=release, actor=actor, reason=reason, at=at)
    connection.execute(insert(deployments).values(tables.fields_of(deployment)))
    return deployment


def _move(connection: Connection, moves: Sequence[lifecycle.Move], at: datetime) -> None:
    """Applies the moves, each compare-and-set on its present state; the documents of a void candidate are queued."""
    table = tables.releases
    for move in moves:
        before = [state for state in ReleaseState if lifecycle.may_follow(state, move.state)]
        mine = (table.c.number == move.release, table.c.state.in_(before))
        was = releases.load(connection, move.release).state
        values = {"state": move.state, "reason": move.reason}
        if connection.execute(update(table).where(*mine).values(values)).rowcount != 1:
            raise InternalError(f"release {move.release} cannot be {move.state} after {was}. Please report it.")
        if move.state is ReleaseState.VOID and was is ReleaseState.CANDIDATE:
            runs.abandon(connection, _run(connection, move.release), move.reason, at)


def _run(connection: Connection, release: int) -> int:
    query = select(tables.runs.c.number).where(tables.runs.c.release == release)
    return int(connection.execute(query).scalar_one())


def _mark_learned(connection: Connection, release: int, actor: str) -> None:
    run = _run(connection, release)
    learned = {"state": DocumentState.LEARNED, "release": release, "run": None, "reason": ""}
    connection.execute(update(documents).where(documents.c.run == run).values(learned))
    sentence = f"release {release} was approved by {actor}"
    runs.change(connection, run, before=(RunState.WAITING,), state=RunState.RELEASED, sentence=sentence)


def _revert(connection: Connection, fallen: Sequence[int], reason: str) -> None:
    learned = (documents.c.release.in_(fallen), documents.c.state == DocumentState.LEARNED)
    connection.execute(update(documents).where(*learned).values(state=DocumentState.REVERTED, reason=reason))
