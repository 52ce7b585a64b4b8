"""Moves production: by an approval, by a rollback; ends a candidate by a rejection, or because nobody came.

One transaction each, guarded by the epoch.

The database decides here; `registry.reconcile` makes MLflow follow.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from pipeline.actors import against_name
from pipeline.errors import InternalError, PolicyError
from pipeline.types import Approval, Deployment, DocumentState, Release, ReleaseState, RunState, Verdict
from registry import lifecycle
from registry.reconcile import Reconciled, reconcile
from registry.store import Store, releases, reports, rows, run_rows
from registry.tables import approvals, deployments, documents
from registry.tables import releases as release_table
from registry.tables import runs as run_table

__all__ = ["Reconciled", "approve", "expire", "promote", "reconcile", "reject", "rollback", "rolled_back_to"]

Verify = Callable[[Release], object]


def approve(
    store: Store, number: int, *, actor: str, note: str = "", approval_days: float = 7.0, at: datetime | None = None
) -> Approval:
    """A person's yes to the candidate as it is now: over its manifest, at the current epoch. Nothing is written.

    Raises PolicyError, in words, if the rules are against it, or its figures are older than `approval_days`;
    NoSuchRelease.
    """
    with store.read() as connection:
        release, epoch = releases.load(connection, number), releases.epoch(connection)
        approval = Approval(
            release=number,
            manifest=release.manifest,
            approved=True,
            actor=actor,
            note=note,
            epoch=epoch,
            at=at or rows.now(),
        )
        _check(lifecycle.against_approval(release, *_situation(connection, release), approval, epoch))
        _check(lifecycle.against_waiting(release, approval.at, approval_days))
    return approval


def promote(
    store: Store, approval: Approval, *, verify: Verify, approval_days: float = 7.0, at: datetime | None = None
) -> Deployment:
    """Makes the approved candidate production: approval, deployment, states and documents move together or not at all.

    `verify` is called before with the release, and raises if its adapter is not fit to serve. Raises PolicyError if
    a rule is against it, or if another promotion or rollback came first.
    """
    at = at or rows.now()
    verify(releases.get(store, approval.release))
    with store.write() as connection:
        release, epoch = releases.load(connection, approval.release), releases.epoch(connection)
        _check(lifecycle.against_approval(release, *_situation(connection, release), approval, epoch))
        _check(lifecycle.against_waiting(release, approval.at, approval_days))
        _check(lifecycle.against_age(approval, at, approval_days))
        everything = releases.every(connection)
        connection.execute(insert(approvals).values(_row(approval)))
        deployment = _deploy(connection, epoch, release.number, approval.actor, approval.note or "approved", at)
        _move(connection, lifecycle.promotion(everything, release.number), at)
        _teach(connection, release, approval.actor)
    return deployment


def reject(store: Store, number: int, *, actor: str, reason: str, at: datetime | None = None) -> Approval:
    """A person's no: the candidate is REJECTED and its documents are quarantined with the reason.

    Raises PolicyError.
    """
    with store.write() as connection:
        release = releases.load(connection, number)
        _check(lifecycle.against_rejection(release, actor, reason))
        no = Approval(
            release=number,
            manifest=release.manifest,
            approved=False,
            actor=actor,
            note=reason,
            epoch=releases.epoch(connection),
            at=at or rows.now(),
        )
        connection.execute(insert(approvals).values(_row(no)))
        words = f"rejected by {actor}: {reason}"
        _move(connection, [lifecycle.Move(release=number, state=ReleaseState.REJECTED, reason=words)], no.at)
        run = _run(connection, number)
        aside = {"state": DocumentState.QUARANTINED, "reason": words, "run": None}
        connection.execute(update(documents).where(documents.c.run == run).values(aside))
        state, before = RunState.REJECTED_BY_REVIEWER, (RunState.WAITING,)
        run_rows.change(connection, run, before=before, state=state, sentence=words)
    return no


def expire(store: Store, *, approval_days: float, at: datetime | None = None) -> tuple[lifecycle.Move, ...]:
    """Makes void each candidate whose figures are older than `approval_days`; its documents are queued. Idempotent."""
    at = at or rows.now()
    with store.write() as connection:
        moves = lifecycle.expired(releases.every(connection), at, approval_days)
        _move(connection, moves, at)
    return moves


def rollback(
    store: Store, target: int | None, *, actor: str, reason: str, verify: Verify, at: datetime | None = None
) -> Deployment:
    """Makes an earlier production release production again: the one before, or `target`; 0 is the base model.

    What came after it is rolled back, and the documents learned there are reverted. Needs the ledger and the local
    adapter only, which `verify` checks before anything moves. Raises PolicyError, in words, if a rule is against it:
    also without a `target` where the newest deployment is a rollback itself.
    """
    if not reason.strip() or against_name(actor) is not None:
        raise PolicyError(f"a rollback needs a name and a reason: {against_name(actor) or 'the history keeps both'}.")
    with store.read() as connection:
        history = releases.history(connection)
        epoch, back = history[-1].epoch, lifecycle.latest_rollback(history)
        number = _chosen(lifecycle.rollback_target(releases.every(connection), target, back))
        wanted = releases.load(connection, number)
    verify(wanted)
    at = at or rows.now()
    with store.write() as connection:
        if releases.epoch(connection) != epoch:
            raise PolicyError(
                "production moved while the rollback was prepared: see `sealed status`, and decide again."
            )
        moves = lifecycle.rollback(releases.every(connection), number, actor, reason)
        deployment = _deploy(connection, epoch, number, actor, reason, at)
        _move(connection, moves, at)
        fallen = [move.release for move in moves if move.state is ReleaseState.ROLLED_BACK]
        _revert(connection, fallen, f"release {fallen[0]} was rolled back by {actor}: {reason}")
    return deployment


def rolled_back_to(store: Store, target: int) -> Deployment | None:
    """The newest deployment, where it is a rollback to `target`: then another one to it has nothing to do."""
    done = lifecycle.latest_rollback(releases.deployments(store))
    return done if done is not None and done.release == target else None


def _situation(connection: Connection, release: Release) -> tuple[Verdict | None, Release]:
    verdict = None if release.report is None else reports.load(connection, release.report).verdict
    return verdict, releases.current(connection)


def _check(objection: str | None) -> None:
    if objection is not None:
        raise PolicyError(f"{objection}.")


def _chosen(target: int | str) -> int:
    if isinstance(target, str):
        raise PolicyError(f"{target}.")
    return target


def _row(approval: Approval) -> dict[str, object]:
    return {name: getattr(approval, name) for name in approval.__dataclass_fields__}


def _deploy(connection: Connection, epoch: int, release: int, actor: str, reason: str, at: datetime) -> Deployment:
    deployment = Deployment(epoch=epoch + 1, release=release, actor=actor, reason=reason, at=at)
    row = {name: getattr(deployment, name) for name in deployment.__dataclass_fields__}
    connection.execute(insert(deployments).values(row))
    return deployment


def _move(connection: Connection, moves: Sequence[lifecycle.Move], at: datetime) -> None:
    """Applies the moves, each compare-and-set on its present state; a void candidate gives its documents back."""
    for move in moves:
        before = [state for state in ReleaseState if lifecycle.may_follow(state, move.state)]
        mine = (release_table.c.number == move.release, release_table.c.state.in_(before))
        was = releases.load(connection, move.release).state
        values = {"state": move.state, "reason": move.reason}
        if connection.execute(update(release_table).where(*mine).values(values)).rowcount != 1:
            raise InternalError(f"release {move.release} cannot be {move.state} after {was}. Please report it.")
        if move.state is ReleaseState.VOID and was is ReleaseState.CANDIDATE:
            run_rows.abandon(connection, _run(connection, move.release), move.reason, at)


def _run(connection: Connection, release: int) -> int:
    query = select(run_table.c.number).where(run_table.c.release == release)
    return int(connection.execute(query).scalar_one())


def _teach(connection: Connection, release: Release, actor: str) -> None:
    run = _run(connection, release.number)
    learned = {"state": DocumentState.LEARNED, "release": release.number, "run": None, "reason": ""}
    connection.execute(update(documents).where(documents.c.run == run).values(learned))
    sentence = f"release {release.number} was approved by {actor}"
    run_rows.change(connection, run, before=(RunState.WAITING,), state=RunState.RELEASED, sentence=sentence)


def _revert(connection: Connection, fallen: Sequence[int], reason: str) -> None:
    learned = (documents.c.release.in_(fallen), documents.c.state == DocumentState.LEARNED)
    connection.execute(update(documents).where(*learned).values(state=DocumentState.REVERTED, reason=reason))
