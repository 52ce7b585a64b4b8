"""The self-edits of the ledger and which were selected: what was sampled is stored as it was, and not sampled again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, insert, select

from pipeline.types import DocumentState, ReleaseState, Selection, SelfEdit
from registry.store.database import Database, FencedDatabase, blocks
from registry.store.releases import load_update
from registry.tables import documents, releases, run_self_edits, selections, self_edits

_RELEASED = (ReleaseState.PRODUCTION, ReleaseState.SUPERSEDED)


@dataclass(frozen=True)
class SelfEdits:
    """Reads self-edits and selections."""

    database: Database

    def of_run(self, run: int) -> tuple[SelfEdit, ...]:
        """The edits of one run, in the order they were saved, each with its edit set's reward where it has one."""
        query = select(self_edits.c.body).join(run_self_edits, run_self_edits.c.self_edit == self_edits.c.id)
        query = query.where(run_self_edits.c.run == run).order_by(run_self_edits.c.position)
        with self.database.read() as connection:
            edits: list[SelfEdit] = list(connection.execute(query).scalars())
            made = _selections(connection, run)
        rewards = {edit: one.reward for selection in made for one in selection.candidates for edit in one.self_edits}
        return tuple(replace(edit, reward=rewards.get(edit.id)) for edit in edits)

    def learned(self) -> tuple[SelfEdit, ...]:
        """The edits of learned documents that production was trained on: oldest release first, then by id."""
        query = select(releases.c.update_id).where(releases.c.state.in_(_RELEASED), releases.c.parent.is_not(None))
        found: dict[str, SelfEdit] = {}
        with self.database.read() as connection:
            for update in connection.execute(query.order_by(releases.c.number)).scalars().all():
                wanted = sorted(set(load_update(connection, update).self_edits) - set(found))
                found |= {edit.id: edit for edit in _learned(connection, wanted)}
        return tuple(found.values())

    def selections_of(self, run: int) -> tuple[Selection, ...]:
        """The selections of one run, by document id."""
        with self.database.read() as connection:
            return _selections(connection, run)

    def selections_about(self, document: str) -> tuple[tuple[int, Selection], ...]:
        """The selections for one document with their runs' numbers, oldest first."""
        query = select(selections.c.run, selections.c.body).where(selections.c.document == document)
        with self.database.read() as connection:
            return tuple((run, body) for run, body in connection.execute(query.order_by(selections.c.run)))


@dataclass(frozen=True)
class SessionSelfEdits:
    """Writes self-edits and selections under the lease. Raises LeaseLost once the lease is lost."""

    database: FencedDatabase

    def save(self, run: int, edits: Sequence[SelfEdit]) -> None:
        """Adds edits to a run, all or none. Idempotent: those it has already keep their place."""
        position, mine = run_self_edits.c.position, run_self_edits.c.run == run
        with self.database.write() as connection:
            saved = set(connection.execute(select(run_self_edits.c.self_edit).where(mine)).scalars())
            fresh = list({edit.id: edit for edit in edits if edit.id not in saved}.values())
            _add(connection, fresh)
            last = connection.execute(select(func.coalesce(func.max(position), -1)).where(mine)).scalar_one()
            values = [{"run": run, "position": i, "self_edit": edit.id} for i, edit in enumerate(fresh, last + 1)]
            if values:
                connection.execute(insert(run_self_edits), values)

    def save_selections(self, run: int, made: Sequence[Selection]) -> None:
        """Records the selections of a run. Idempotent: what is selected for a document stays so."""
        with self.database.write() as connection:
            known = set(connection.execute(select(selections.c.document).where(selections.c.run == run)).scalars())
            values = [{"run": run, "document": one.document, "body": one} for one in made if one.document not in known]
            if values:
                connection.execute(insert(selections), values)


def _selections(connection: Connection, run: int) -> tuple[Selection, ...]:
    query = select(selections.c.body).where(selections.c.run == run).order_by(selections.c.document)
    return tuple(connection.execute(query).scalars())


def _learned(connection: Connection, ids: Sequence[str]) -> list[SelfEdit]:
    query = select(self_edits.c.body).join(documents, documents.c.id == self_edits.c.document)
    query = query.where(documents.c.state == DocumentState.LEARNED).order_by(self_edits.c.id)
    return [
        edit for block in blocks(ids) for edit in connection.execute(query.where(self_edits.c.id.in_(block))).scalars()
    ]


def _add(connection: Connection, edits: Sequence[SelfEdit]) -> None:
    known: set[str] = set()
    for block in blocks([edit.id for edit in edits]):
        known |= set(connection.execute(select(self_edits.c.id).where(self_edits.c.id.in_(block))).scalars())
    values = [{"id": edit.id, "document": edit.document, "body": edit} for edit in edits if edit.id not in known]
    if values:
        connection.execute(insert(self_edits), values)
