"""Appends to the chained tables, and reads them back as chained rows: approvals, history, what is decided in MLflow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Column, Connection, Table, func, insert, select

from pipeline.errors import LedgerTampered
from pipeline.types import Approval, Deployment, Release, ReleaseState, ReviewDecision, SignedStatement, Transition
from registry import columns, tables
from registry.audit import Record, against_record
from registry.chain import START, Row, Seal, seal, verify_chain
from registry.review_tables import review_decisions
from registry.signing import KeyRing
from registry.tables import approvals, history

REPAIR = "Put the ledger's backup back; until then production stays what it is"


def add_approval(connection: Connection, approval: Approval, own: Ed25519PrivateKey | None) -> None:
    """Appends an approval or a rejection, sealed with `own` where there is a key."""
    _append(connection, approvals, approval, own)


def add_transition(connection: Connection, step: Transition, own: Ed25519PrivateKey | None = None) -> None:
    """Appends to the history of releases. What a run records is not signed by it: the next decision vouches for it."""
    _append(connection, history, step, own)


def add_decision(connection: Connection, decision: ReviewDecision, own: Ed25519PrivateKey) -> ReviewDecision:
    """Appends what somebody decided in MLflow, signed by the server that proved who; returns it with its number."""
    numbered = replace(decision, number=_end(connection, review_decisions)[0])
    _append(connection, review_decisions, numbered, own)
    return numbered


def record(
    connection: Connection,
    release: Release,
    before: ReleaseState | None,
    after: ReleaseState,
    reason: str,
    at: datetime,
) -> None:
    """Appends what a run did to `release`, under its proposer."""
    step = Transition(
        release=release.number,
        before=before,
        after=after,
        actor=release.proposer,
        reason=reason,
        epoch=epoch(connection),
        at=at,
    )
    add_transition(connection, step)


def last_step(connection: Connection) -> tuple[int, str]:
    """How many rows the history of releases has, and the digest of the last one."""
    following, digest = _end(connection, history)
    return following - 1, digest


def digest_of_step(connection: Connection, number: int) -> str | None:
    """The digest of the history's row of that number, or None where it does not go so far."""
    return connection.execute(select(history.c.digest).where(history.c.id == number)).scalar_one_or_none()


def epoch(connection: Connection) -> int:
    """The number of the newest deployment."""
    return int(connection.execute(select(func.max(tables.deployments.c.epoch))).scalar_one())


def approvals_of(connection: Connection, number: int) -> tuple[Approval, ...]:
    """Approvals and rejections of a release, oldest first."""
    return tuple(columns.decode(Approval, {**found}) for found in _found(connection, approvals, number))


def transitions_of(connection: Connection, number: int) -> tuple[Transition, ...]:
    """What happened to a release, oldest first."""
    return tuple(columns.decode(Transition, {**found}) for found in _found(connection, history, number))


def approval_rows(connection: Connection, number: int | None = None) -> tuple[tuple[Row, Approval], ...]:
    """The approvals as chained rows with their nouns: of one release, or all."""
    found = [(one, columns.decode(Approval, {**one})) for one in _found(connection, approvals, number)]
    return tuple((_row(approvals, one, approval, grants=approval.approved), approval) for one, approval in found)


def history_rows(connection: Connection) -> tuple[tuple[Row, Transition], ...]:
    """The whole history of releases as chained rows with their nouns."""
    found = [(one, columns.decode(Transition, {**one})) for one in _found(connection, history)]
    return tuple((_row(history, one, step, grants=_promotes(step)), step) for one, step in found)


def decision_rows(connection: Connection) -> tuple[tuple[Row, ReviewDecision], ...]:
    """What was decided in MLflow, as chained rows with their nouns: each must be signed."""
    found = [(one, columns.decode(ReviewDecision, {**one})) for one in _found(connection, review_decisions)]
    return tuple((_row(review_decisions, one, made, grants=True), made) for one, made in found)


def expect_decisions_unbroken(connection: Connection, keys: KeyRing) -> int:
    """Checks that MLflow's server signed each decision, and returns how many there are. Raises LedgerTampered.

    That server does not check what stands before, so no row vouches for another one.
    """
    rows = [row for row, _ in decision_rows(connection)]
    if (objection := verify_chain(rows, keys.over_decisions, vouching=False)) is not None:
        raise LedgerTampered(f"what people decided in MLflow was changed by other hands than theirs: {objection}.")
    return len(rows)


def expect_unbroken(
    connection: Connection, releases: Sequence[Release], keys: KeyRing, *, thorough: bool = False
) -> int:
    """Checks that nobody changed what was decided, and returns how many rows say so.

    `thorough`: checks every signature, not only the newest, which vouches for all before it. Raises LedgerTampered with
    the first row that was altered, removed or inserted, or the first contradiction.
    """
    given, steps = approval_rows(connection), history_rows(connection)
    record = Record(
        releases=releases,
        deployments=deployments(connection),
        approvals=[approval for _, approval in given],
        history=[step for _, step in steps],
    )
    chains = ([row for row, _ in given], [row for row, _ in steps])
    broken = [verify_chain(chain, keys, thorough=thorough) for chain in chains]
    objection = next(filter(None, broken), None) or against_record(record)
    if objection is not None:
        raise LedgerTampered(f"the ledger was changed by other hands than ours: {objection}. {REPAIR}.")
    return len(given) + len(steps)


def deployments(connection: Connection) -> tuple[Deployment, ...]:
    """All that was ever production, oldest first."""
    rows = connection.execute(select(tables.deployments).order_by(tables.deployments.c.epoch)).mappings()
    return tuple(columns.decode(Deployment, {**row}) for row in rows)


def _promotes(step: Transition) -> bool:
    return step.before is ReleaseState.CANDIDATE and step.after is ReleaseState.PRODUCTION


def _found(connection: Connection, table: Table, number: int | None = None) -> Sequence[Any]:
    query = select(table).order_by(_place(table))
    return connection.execute(query if number is None else query.where(table.c.release == number)).mappings().all()


def _append(connection: Connection, table: Table, noun: Any, own: Ed25519PrivateKey | None) -> None:
    id_, previous = _end(connection, table)
    made = seal(table.name, id_, _content(noun), previous, own)
    values = {**columns.fields_of(noun), **columns.fields_of(made), _place(table).name: id_}
    connection.execute(insert(table).values(values))


def _end(connection: Connection, table: Table) -> tuple[int, str]:
    """The place of a chain's next row, and the digest that it follows."""
    place = _place(table)
    last = connection.execute(select(place, table.c.digest).order_by(place.desc()).limit(1)).first()
    return (last[0] + 1, last.digest) if last is not None else (1, START)


def _place(table: Table) -> Column[int]:
    """The column that counts a chain's rows: its key."""
    (place,) = table.primary_key.columns
    return place


def _row(table: Table, found: Any, noun: Any, *, grants: bool) -> Row:
    made = Seal(**{name: found[name] for name in ("previous", "digest", "key", "signature")})
    return Row(chain=table.name, id=found[_place(table).name], content=_content(noun), seal=made, grants=grants)


def _content(noun: Any) -> dict[str, object]:
    """A noun as it is signed: times in UTC to the microsecond, nested values by their fields."""
    return {name: _plain(value) for name, value in columns.fields_of(noun).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return columns.fields_of(value) if isinstance(value, SignedStatement) else value
