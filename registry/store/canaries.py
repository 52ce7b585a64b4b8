"""The canaries of the ledger: which share of the requests a new release gets, what was graded, and what was decided.

Append-only: a canary is the newest of its rows, each of which is a decision. Every write is compare-and-set on the
newest deployment, so that whoever moves production meanwhile wins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, func, insert, select

from pipeline.errors import BadInput, Overtaken
from pipeline.recipe import CanaryPolicy
from pipeline.types import (
    Actor,
    CanaryAction,
    CanaryDecision,
    CanaryState,
    Deployment,
    Figure,
    Identity,
    Outcome,
    Release,
)
from registry import columns, lifecycle, tables
from registry.canary_tables import canaries, outcomes
from registry.store import releases
from registry.store.database import Database, blocks, now

# How many outcomes one look takes at most.
TAKEN = 10_000


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A new production release and its share of the requests since `at`; the rest goes to the release `stable`.

    `action`, `actor` (with `account` and `identity`), `sentence`, `figures`: the newest decision, who made it, on what.
    `epoch`: its deployment. `number` counts its decisions from 0, its begin. `seen`: the last outcome that was taken.
    `policy`: as the canary began; a changed recipe is for the next one.
    """

    epoch: int
    number: int
    release: int
    stable: int
    action: CanaryAction
    actor: str
    share: float
    sentence: str
    state: CanaryState
    policy: CanaryPolicy
    seen: int
    at: datetime
    figures: tuple[Figure, ...] = ()
    account: str = ""
    identity: Identity = Identity.UNPROVEN

    @property
    def is_proven(self) -> bool:
        """Whether the release has all requests: then a canary after it is compared with it."""
        return self.share == 1.0 and self.action is not CanaryAction.ROLL_BACK


@dataclass(frozen=True)
class NewOutcomes:
    """Outcomes in the order in which they were recorded, each with its id."""

    ids: tuple[int, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True)
class Answering:
    """Which releases answer since the deployment `epoch`: the `stable` one, but for the `share` of the `canary`."""

    epoch: int
    stable: Release
    canary: Release | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Canaries:
    """Records outcomes and decisions, and says what holds. Needs no lease: no run decides here."""

    database: Database

    def current(self) -> Canary | None:
        """The canary of the newest deployment; None: all requests go to production."""
        with self.database.read() as connection:
            return _newest(connection)

    def answering(self) -> Answering:
        """Who answers by the newest deployment and its canary, of one moment. Raises DatabaseFailed.

        A canary that is to be rolled back answers nobody, also before the rollback is made.
        """
        newest = select(tables.deployments.c.epoch, tables.deployments.c.release).order_by(
            tables.deployments.c.epoch.desc()
        )
        with self.database.read() as connection:
            row = connection.execute(newest.limit(1)).one_or_none()
            if row is None:
                raise releases.emptied()
            canary, release = _newest(connection), releases.load(connection, row.release)
            if canary is None or canary.is_proven:
                return Answering(epoch=row.epoch, stable=release)
            stable = releases.load(connection, canary.stable)
        if canary.action is CanaryAction.ROLL_BACK:
            return Answering(epoch=row.epoch, stable=stable)
        return Answering(epoch=row.epoch, stable=stable, canary=release, share=canary.share)

    def decisions(self, epoch: int) -> tuple[Canary, ...]:
        """All decisions on the canary of a deployment, oldest first."""
        query = select(canaries).where(canaries.c.epoch == epoch).order_by(canaries.c.number)
        with self.database.read() as connection:
            return tuple(columns.decode(Canary, {**row}) for row in connection.execute(query).mappings())

    def record(self, graded: Iterable[Outcome]) -> int:
        """Writes outcomes of the present canary; returns how many count.

        Left out are those of another deployment, and what counts once and is there already (`Outcome.counts_as`).
        Raises BadInput for an outcome that grades nobody or names no key.
        """
        rows = [_row(outcome) for outcome in graded]
        with self.database.write() as connection:
            canary = _newest(connection)
            mine = [row for row in rows if canary is not None and row["epoch"] == canary.epoch]
            first = {row["counts_as"]: row for row in reversed(mine)}
            known = _counted(connection, list(first))
            new = [row for name, row in reversed(first.items()) if name not in known]
            if new:
                connection.execute(insert(outcomes), new)
        return len(new)

    def new_outcomes(self, canary: Canary, limit: int = TAKEN) -> NewOutcomes:
        """What was recorded since the canary's last decision, oldest first, at most `limit`."""
        mine = (outcomes.c.epoch == canary.epoch, outcomes.c.id > canary.seen)
        query = select(outcomes).where(*mine).order_by(outcomes.c.id).limit(limit)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return NewOutcomes(tuple(row["id"] for row in rows), tuple(columns.decode(Outcome, {**row}) for row in rows))

    def items_asked(self, canary: Canary) -> frozenset[str]:
        """The keys of the eval items that were put to both releases already."""
        both = (outcomes.c.canary_failed.is_not(None), outcomes.c.stable_failed.is_not(None))
        query = select(outcomes.c.key).where(outcomes.c.epoch == canary.epoch, *both)
        with self.database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def decide(self, canary: Canary, decision: CanaryDecision, *, state: CanaryState, seen: int, by: Actor) -> Canary:
        """Records a decision that was made on `canary`. Raises Overtaken if production or the canary moved since."""
        decided = replace(
            canary,
            number=canary.number + 1,
            action=decision.action,
            actor=by.name,
            account=by.account,
            identity=by.identity,
            share=decision.share,
            sentence=decision.sentence,
            figures=decision.figures,
            state=state,
            seen=seen,
            at=now(),
        )
        with self.database.write() as connection:
            held = _newest(connection)
            if held is None or (held.epoch, held.number) != (canary.epoch, canary.number):
                raise Overtaken(
                    f"the canary of release {canary.release} was decided on elsewhere, or production moved: this "
                    "decision was not made. See `sealed status`."
                )
            _add(connection, decided)
        return decided


def begin(connection: Connection, policy: CanaryPolicy, at: datetime) -> Canary | None:
    """Makes the canary of the newest deployment, where that needs one and has none, and returns it. Idempotent.

    None where the newest deployment needs none: it is a rollback, or the base model. In the transaction of the
    deployment itself, so that nobody ever sees the release without its canary.
    """
    known, history = _newest(connection), _history(connection)
    if known is not None or len(history) < 2 or lifecycle.latest_rollback(history) is not None:
        return known
    before = _last_of(connection, history[-2].epoch)
    canary = _first(before, history, policy, at)
    _add(connection, canary)
    return canary


def _first(before: Canary | None, history: tuple[Deployment, ...], policy: CanaryPolicy, at: datetime) -> Canary:
    """The begin of a canary. `before`: that of the release before it, if any.

    Where that one never had all requests, nobody knows whether it is good: the stable release stays the one it had.
    """
    *_, former, newest = history
    return Canary(
        epoch=newest.epoch,
        number=0,
        release=newest.release,
        stable=former.release if before is None or before.is_proven else before.stable,
        action=CanaryAction.GO_ON,
        actor=newest.actor,
        account=newest.account,
        identity=newest.identity,
        share=policy.shares[0],
        sentence=f"the canary begins with {100 * policy.shares[0]:g} % of the requests",
        state=CanaryState(),
        policy=policy,
        seen=0,
        at=at,
    )


def _newest(connection: Connection) -> Canary | None:
    return _last_of(connection, _newest_epoch())


def _last_of(connection: Connection, epoch: int | ScalarSelect[int]) -> Canary | None:
    """The newest decision on the canary of a deployment."""
    query = select(canaries).where(canaries.c.epoch == epoch).order_by(canaries.c.number.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else columns.decode(Canary, {**row})


def _newest_epoch() -> ScalarSelect[int]:
    return select(func.max(tables.deployments.c.epoch)).scalar_subquery()


def _history(connection: Connection) -> tuple[Deployment, ...]:
    rows = connection.execute(select(tables.deployments).order_by(tables.deployments.c.epoch)).mappings()
    return tuple(columns.decode(Deployment, {**row}) for row in rows)


def _add(connection: Connection, canary: Canary) -> None:
    connection.execute(insert(canaries).values(columns.fields_of(canary)))


def _row(outcome: Outcome) -> dict[str, Any]:
    if outcome.canary_failed is None and outcome.stable_failed is None:
        raise BadInput("an outcome grades the canary, the stable release or both: say which failed.")
    if not outcome.key.strip():
        raise BadInput("an outcome names who asked or which item it is: give a key.")
    return columns.fields_of(outcome) | {"counts_as": outcome.counts_as}


def _counted(connection: Connection, names: Sequence[str]) -> frozenset[str]:
    """Which of these count already in the canary of the newest deployment."""
    query = select(outcomes.c.counts_as).where(outcomes.c.epoch == _newest_epoch())
    found = (connection.execute(query.where(outcomes.c.counts_as.in_(block))).scalars() for block in blocks(names))
    return frozenset(name for block in found for name in block)
