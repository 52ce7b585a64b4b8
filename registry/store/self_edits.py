"""The self-edits of the ledger, and which were kept: what was sampled is stored as it was, and not sampled again."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, insert, select

from pipeline.types import DocumentState, Lease, ReleaseState, Selection, SelfEdit
from registry.store import lease, reports, rows
from registry.store.database import Store
from registry.tables import documents, releases, run_self_edits, selections, self_edits

_LIVE = (ReleaseState.PRODUCTION, ReleaseState.SUPERSEDED)


def save(store: Store, held: Lease, run: int, edits: Sequence[SelfEdit]) -> None:
    """Adds edits to a run, all or none. Idempotent: those it has already keep their place."""
    with store.write() as connection:
        lease.check(connection, held)
        mine = select(run_self_edits.c.self_edit).where(run_self_edits.c.run == run)
        here = set(connection.execute(mine).scalars())
        fresh = list({edit.id: edit for edit in edits if edit.id not in here}.values())
        _add(connection, fresh)
        positions = select(func.coalesce(func.max(run_self_edits.c.position), -1)).where(run_self_edits.c.run == run)
        first = connection.execute(positions).scalar_one() + 1
        values = [{"run": run, "position": first + i, "self_edit": edit.id} for i, edit in enumerate(fresh)]
        if values:
            connection.execute(insert(run_self_edits), values)


def save_selections(store: Store, held: Lease, run: int, made: Sequence[Selection]) -> None:
    """Records which candidates a run keeps. Idempotent: what is chosen for a document stays chosen."""
    with store.write() as connection:
        lease.check(connection, held)
        known = connection.execute(select(selections.c.document).where(selections.c.run == run)).scalars().all()
        fresh = [one for one in made if one.document not in set(known)]
        values = [{"run": run, "document": one.document, "body": rows.encode(one)} for one in fresh]
        if values:
            connection.execute(insert(selections), values)


def selections_of(store: Store, run: int) -> tuple[Selection, ...]:
    """What one run chose, by document id."""
    with store.read() as connection:
        return _choices(connection, run)


def selections_about(store: Store, document: str) -> tuple[tuple[int, Selection], ...]:
    """What the runs chose for one document, by their numbers, oldest first."""
    query = (
        select(selections.c.run, selections.c.body).where(selections.c.document == document).order_by(selections.c.run)
    )
    with store.read() as connection:
        return tuple((run, rows.decode(Selection, body)) for run, body in connection.execute(query))


def of_run(store: Store, run: int) -> tuple[SelfEdit, ...]:
    """The edits of one run, in the order they were saved, each with its candidate's reward where it has one."""
    query = select(self_edits.c.body).join(run_self_edits, run_self_edits.c.self_edit == self_edits.c.id)
    query = query.where(run_self_edits.c.run == run).order_by(run_self_edits.c.position)
    with store.read() as connection:
        edits = [rows.decode(SelfEdit, body) for body in connection.execute(query).scalars()]
        rewards = {
            edit: candidate.reward
            for selection in _choices(connection, run)
            for candidate in selection.candidates
            for edit in candidate.self_edits
        }
    return tuple(replace(edit, reward=rewards.get(edit.id)) for edit in edits)


def learned(store: Store) -> tuple[SelfEdit, ...]:
    """The edits that production was trained on and whose documents are learned: oldest release first, then by id."""
    query = select(releases.c.update_id).where(releases.c.state.in_(_LIVE), releases.c.parent.is_not(None))
    found: dict[str, SelfEdit] = {}
    with store.read() as connection:
        for update in connection.execute(query.order_by(releases.c.number)).scalars().all():
            wanted = sorted(set(reports.load_update(connection, update).self_edits) - set(found))
            found |= {edit.id: edit for edit in _learned(connection, wanted)}
    return tuple(found.values())


def _choices(connection: Connection, run: int) -> tuple[Selection, ...]:
    query = select(selections.c.body).where(selections.c.run == run).order_by(selections.c.document)
    return tuple(rows.decode(Selection, body) for body in connection.execute(query).scalars())


def _learned(connection: Connection, ids: Sequence[str]) -> list[SelfEdit]:
    query = select(self_edits.c.body).join(documents, documents.c.id == self_edits.c.document)
    query = query.where(documents.c.state == DocumentState.LEARNED).order_by(self_edits.c.id)
    return [
        rows.decode(SelfEdit, body)
        for block in rows.blocks(ids)
        for body in connection.execute(query.where(self_edits.c.id.in_(block))).scalars()
    ]


def _add(connection: Connection, edits: Sequence[SelfEdit]) -> None:
    known: set[str] = set()
    for block in rows.blocks([edit.id for edit in edits]):
        known |= set(connection.execute(select(self_edits.c.id).where(self_edits.c.id.in_(block))).scalars())
    values = [
        {"id": edit.id, "document": edit.document, "body": rows.encode(edit)} for edit in edits if edit.id not in known
    ]
    if values:
        connection.execute(insert(self_edits), values)
