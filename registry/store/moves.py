"""Applies what was decided: the deployment, the releases' states with their history, the documents. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from pipeline.errors import InternalError
from pipeline.types import Actor, Deployment, DocumentState, ReleaseState, RunState, Transition
from registry import columns, lifecycle, tables
from registry.lifecycle import Event, Move
from registry.signing import KeyRing
from registry.store import journal, releases, runs
from registry.tables import deployments, documents


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who moves what, why and when, and the keys that sign it: what each row that it writes has in common."""

    actor: Actor
    reason: str
    at: datetime
    keys: KeyRing


def deploy(connection: Connection, release: int, decision: Decision) -> Deployment:
    """Appends the deployment of `release` at the next epoch."""
    deployment = Deployment(
        epoch=journal.epoch(connection) + 1,
        release=release,
        actor=decision.actor.name,
        account=decision.actor.account,
        identity=decision.actor.identity,
        reason=decision.reason,
        at=decision.at,
    )
    connection.execute(insert(deployments).values(columns.fields_of(deployment)))
    return deployment


def apply(connection: Connection, moves: Sequence[Move], decision: Decision) -> None:
    """Applies the moves, each compare-and-set on its present state, with a row of the history each.

    The documents of a candidate that becomes void or stale are queued again.
    """
    table = tables.releases
    for move in moves:
        before, _ = lifecycle.TRANSITIONS[move.event]
        mine = (table.c.number == move.release, table.c.state.in_(before))
        was = releases.load(connection, move.release).state
        values = {"state": move.state, "reason": move.reason}
        if connection.execute(update(table).where(*mine).values(values)).rowcount != 1:
            objection = lifecycle.against_event(move.release, was, move.event)
            raise InternalError(f"{objection or 'a release moved meanwhile'}. Please report it.")
        _record(connection, move, was, decision)
        if was is ReleaseState.CANDIDATE and move.event in (Event.EXPIRED, Event.OUTDATED):
            runs.abandon(connection, run_of(connection, move.release), move.reason, decision.at)


def _record(connection: Connection, move: Move, was: ReleaseState, decision: Decision) -> None:
    step = Transition(
        release=move.release,
        before=was,
        after=move.state,
        actor=decision.actor.name,
        account=decision.actor.account,
        identity=decision.actor.identity,
        reason=move.reason or decision.reason,
        epoch=journal.epoch(connection),
        at=decision.at,
    )
    journal.add_transition(connection, step, decision.keys.own)


def run_of(connection: Connection, release: int) -> int:
    """The number of the run that made `release`."""
    query = select(tables.runs.c.number).where(tables.runs.c.release == release)
    return int(connection.execute(query).scalar_one())


def mark_learned(connection: Connection, release: int, actor: str) -> None:
    """The documents of a release that became production are learned, and its run is over."""
    run = run_of(connection, release)
    learned = {"state": DocumentState.LEARNED, "release": release, "run": None, "reason": ""}
    connection.execute(update(documents).where(documents.c.run == run).values(learned))
    sentence = f"release {release} was approved by {actor}"
    runs.change(connection, run, before=(RunState.WAITING,), state=RunState.RELEASED, sentence=sentence)


def quarantine(connection: Connection, release: int, reason: str) -> None:
    """Ends the run of a rejected release: its documents are quarantined with the reason."""
    run = run_of(connection, release)
    quarantined = {"state": DocumentState.QUARANTINED, "reason": reason, "run": None}
    connection.execute(update(documents).where(documents.c.run == run).values(quarantined))
    runs.change(connection, run, before=(RunState.WAITING,), state=RunState.REJECTED_BY_REVIEWER, sentence=reason)


def revert(connection: Connection, fallen: Sequence[int], reason: str) -> None:
    """The documents that the `fallen` releases learned become reverted, with the reason."""
    learned = (documents.c.release.in_(fallen), documents.c.state == DocumentState.LEARNED)
    connection.execute(update(documents).where(*learned).values(state=DocumentState.REVERTED, reason=reason))
