"""Moves production, by an approval or a rollback, and ends candidates that are rejected or expire.

One transaction each, guarded by the epoch. The database decides here; `registry.mlflow.reconcile` makes MLflow match.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from pipeline.actors import against_name
from pipeline.errors import PolicyError
from pipeline.recipe import CanaryPolicy
from pipeline.types import (
    Actor,
    AdapterManifest,
    Approval,
    Deployment,
    Release,
    ReleaseState,
    Verdict,
)
from registry import approvers, audit, lifecycle
from registry.approvers import Occasion, ReviewRules
from registry.lifecycle import Event, Move
from registry.signing import KeyRing
from registry.store import canaries, journal, moves, releases, signatures
from registry.store.database import Database, now
from registry.store.moves import Decision

Verify = Callable[[Release], AdapterManifest | None]
# Who ends a candidate that nobody reviewed in time: a rule, and no person.
_RULE = Actor(name="sealed")


@dataclass(frozen=True, kw_only=True)
class ReviewContext:
    """What a decision is checked by and signed with.

    `verify`: checks the bytes of a release's adapter and returns its manifest (None for release 0, which has none);
    raises where it is not fit to serve. `canary`: by which a promoted release gets its share; None: all requests at
    once.
    """

    rules: ReviewRules = field(default_factory=ReviewRules)
    keys: KeyRing
    verify: Verify
    canary: CanaryPolicy | None = None


@dataclass(frozen=True)
class Deployments:
    """The history of production, and the decisions of people that add to it."""

    database: Database

    def listed(self) -> tuple[Deployment, ...]:
        """All that was ever production, oldest first. Raises DatabaseFailed where nothing ever was."""
        with self.database.read() as connection:
            return _history(connection)

    def approve(
        self, number: int, *, actor: Actor, rules: ReviewRules, note: str = "", at: datetime | None = None
    ) -> Approval:
        """A person's approval of the candidate's present manifest, at the current epoch. Nothing is written.

        Raises PolicyError, in words, if the rules are against it, or its figures are older than `rules` allow;
        NoSuchRelease.
        """
        with self.database.read() as connection:
            approval = _approval(connection, number, True, actor, note, at)
            _expect_approvable(connection, approval, rules)
        return approval

    def promote(self, approval: Approval, *, context: ReviewContext, at: datetime | None = None) -> Deployment | None:
        """Records the approval, signed, and makes the candidate production once as many people approved as must.

        Approval, deployment, canary and states change together or not at all. None: the approval is recorded, and
        another person's is needed (`still_missing` says so). Raises PolicyError if a rule is against it, if there is no
        key to sign with, or if another promotion or rollback came first; LedgerTampered; what `context.verify` raises.
        """
        at, own = at or now(), context.keys.expect_own()
        with self.database.read() as connection:
            known = releases.every(connection)
            journal.expect_unbroken(connection, known, context.keys)
            release = releases.load(connection, approval.release)
        manifest = context.verify(release)
        with self.database.write() as connection:
            _expect_approvable(connection, approval, context.rules)
            _check(lifecycle.against_age(approval, at, context.rules.approval_days))
            statement = signatures.sign_release(connection, release, manifest, context.rules.approvers, own)
            signed = replace(approval, statement=statement)
            if not _record_approval(connection, signed, context, at):
                return None
            decision = Decision(actor=approval.by, reason=approval.note or "approved", at=at, keys=context.keys)
            deployment = moves.deploy(connection, release.number, decision)
            moves.apply(connection, lifecycle.promotion(releases.every(connection), release.number), decision)
            moves.mark_learned(connection, release.number, approval.actor)
            if context.canary is not None:
                canaries.begin(connection, context.canary, at)
        return deployment

    def still_missing(self, number: int, *, rules: ReviewRules, at: datetime | None = None) -> str:
        """Which approvals a candidate lacks, in a sentence; "" for any other release. Raises NoSuchRelease."""
        with self.database.read() as connection:
            release = releases.load(connection, number)
            if release.state is not ReleaseState.CANDIDATE:
                return ""
            given = journal.approvals_of(connection, number)
            return approvers.missing(given, _occasion(connection, release, at or now()), rules)

    def reject(
        self, number: int, *, actor: Actor, reason: str, context: ReviewContext, at: datetime | None = None
    ) -> Approval:
        """A person's rejection: the candidate is REJECTED and its documents are quarantined with the reason.

        Signed where there is a key. Raises PolicyError, LedgerTampered.
        """
        words = f"rejected by {actor.name}: {reason}"
        with self.database.write() as connection:
            journal.expect_unbroken(connection, releases.every(connection), context.keys)
            _check(lifecycle.against_rejection(releases.load(connection, number), actor.name, reason))
            _check(approvers.against_identity(actor, context.rules))
            rejection = _approval(connection, number, False, actor, reason, at)
            journal.add_approval(connection, rejection, context.keys.own)
            decision = Decision(actor=actor, reason=reason, at=rejection.at, keys=context.keys)
            moves.apply(connection, [Move(release=number, event=Event.REJECTED, reason=words)], decision)
            moves.quarantine(connection, number, words)
        return rejection

    def expire(self, *, approval_days: float, at: datetime | None = None) -> tuple[Move, ...]:
        """Makes void each candidate whose figures are older than `approval_days`; queues its documents. Idempotent."""
        at = at or now()
        with self.database.write() as connection:
            ended = lifecycle.expired(releases.every(connection), at, approval_days)
            moves.apply(connection, ended, Decision(actor=_RULE, reason="", at=at, keys=KeyRing()))
        return ended

    def rollback(
        self, target: int | None, *, actor: Actor, reason: str, context: ReviewContext, at: datetime | None = None
    ) -> Deployment:
        """Makes an earlier production release production again: the one before, or `target`; 0 is the base model.

        What came after it is rolled back, and the documents learned there are reverted. Needs the ledger and the local
        adapter only: before anything moves, the history, the adapter's bytes and its signature are checked. Signed
        where there is a key. Raises NoSuchRelease; PolicyError, in words, if a rule is against it: also without a
        `target` where the newest deployment is a rollback itself; LedgerTampered, BadSignature, what `context.verify`
        raises.
        Where somebody moves production meanwhile, the same release is checked and put back all the same.
        """
        if not reason.strip() or against_name(actor.name) is not None:
            raise PolicyError(
                f"a rollback needs a name and a reason: {against_name(actor.name) or 'the history keeps both'}."
            )
        chosen, epoch = self._checked_target(target, context)
        decision = Decision(actor=actor, reason=reason, at=at or now(), keys=context.keys)
        while (deployment := self._rolled_back(chosen, epoch, decision)) is None:
            # Production moved meanwhile. What was to be put back stays the same: a rollback wins over a promotion.
            chosen, epoch = self._checked_target(chosen, context)
        return deployment

    def _rolled_back(self, chosen: int, epoch: int, decision: Decision) -> Deployment | None:
        """Deploys the checked release if production is still that of `epoch`, else None."""
        with self.database.write() as connection:
            if journal.epoch(connection) != epoch:
                return None
            steps = lifecycle.rollback(releases.every(connection), chosen, decision.actor.name, decision.reason)
            deployment = moves.deploy(connection, chosen, decision)
            moves.apply(connection, steps, decision)
            fallen = [step.release for step in steps if step.event is Event.ROLLED_BACK]
            words = f"release {fallen[0]} was rolled back by {decision.actor.name}: {decision.reason}"
            moves.revert(connection, fallen, words)
        return deployment

    def _checked_target(self, target: int | None, context: ReviewContext) -> tuple[int, int]:
        """The release to put back, fit to serve and signed, and the epoch at which it was chosen."""
        with self.database.read() as connection:
            history, known = _history(connection), releases.every(connection)
            if target is not None:
                releases.load(connection, target)
            chosen = lifecycle.rollback_target(known, target, lifecycle.latest_rollback(history))
            if isinstance(chosen, str):
                raise PolicyError(f"{chosen}.")
            journal.expect_unbroken(connection, known, context.keys)
            release = releases.load(connection, chosen)
        self.expect_signed(release, context.verify(release), context.keys)
        return chosen, history[-1].epoch

    def expect_signed(self, release: Release, manifest: AdapterManifest | None, keys: KeyRing) -> None:
        """Checks that people approved, and a trusted key signed, exactly this release with this adapter.

        And that the ledger, which says that it answers now, is what people decided. `manifest`: as it was verified on
        disk. Release 0, the base as it is, needs no signature. Raises PolicyError where it was never production;
        BadSignature, LedgerTampered.
        """
        if not release.number:
            return
        with self.database.read() as connection:
            signatures.expect_signed(connection, releases.load(connection, release.number), manifest, keys)
            journal.expect_unbroken(connection, releases.every(connection), keys)

    def expect_unbroken(self, keys: KeyRing) -> int:
        """Checks every signature of what was ever decided. Returns the number of rows. Raises LedgerTampered."""
        with self.database.read() as connection:
            return journal.expect_unbroken(connection, releases.every(connection), keys, thorough=True)

    def rolled_back_to(self, target: int) -> Deployment | None:
        """The newest deployment, where it is a rollback to `target`: then another one to it has nothing to do."""
        done = lifecycle.latest_rollback(self.listed())
        return done if done is not None and done.release == target else None


def _history(connection: Connection) -> tuple[Deployment, ...]:
    found = journal.deployments(connection)
    if not found:
        raise releases.emptied()
    return found


def _occasion(connection: Connection, release: Release, at: datetime) -> Occasion:
    return Occasion(release=release, epoch=journal.epoch(connection), at=at)


def _approval(
    connection: Connection, number: int, approved: bool, actor: Actor, note: str, at: datetime | None
) -> Approval:
    return Approval(
        release=number,
        manifest=releases.load(connection, number).manifest,
        approved=approved,
        actor=actor.name,
        account=actor.account,
        identity=actor.identity,
        note=note,
        epoch=journal.epoch(connection),
        at=at or now(),
    )


def _record_approval(connection: Connection, signed: Approval, context: ReviewContext, at: datetime) -> bool:
    """Appends an approval, and says whether as many people have approved now as must."""
    occasion = _occasion(connection, releases.load(connection, signed.release), at)
    given = journal.approvals_of(connection, signed.release)
    _check(approvers.against_repetition(signed, given, occasion, context.rules))
    journal.add_approval(connection, signed, context.keys.own)
    return not approvers.missing((*given, signed), occasion, context.rules)


def _expect_approvable(connection: Connection, approval: Approval, rules: ReviewRules) -> None:
    release = releases.load(connection, approval.release)
    report = None if release.report is None else releases.load_report(connection, release.report)
    verdict: Verdict | None = None if report is None else report.verdict
    production, epoch = releases.production(connection), journal.epoch(connection)
    _check(lifecycle.against_approval(release, verdict, production, approval, epoch))
    _check(None if report is None else audit.against_report(release, report))
    _check(approvers.against_identity(approval.by, rules))
    _check(lifecycle.against_waiting(release, approval.at, rules.approval_days))


def _check(objection: str | None) -> None:
    if objection is not None:
        raise PolicyError(f"{objection}.")
