"""The context of a run: the workspace, the ledger session that keeps every other run out, and the recipe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.wiring import Workspace, open_workspace
from pipeline.recipe import Recipe
from registry import LedgerSession


@dataclass(frozen=True)
class RunContext:
    """The workspace, the session through which this run writes to the ledger, and the recipe as the run began."""

    workspace: Workspace
    session: LedgerSession
    recipe: Recipe


@contextmanager
def acquire_run(workspace: Path) -> Iterator[RunContext]:
    """Takes the lease of the run for the block. Raises LockedError while another living run holds it."""
    opened = open_workspace(workspace)
    with opened.ledger.session() as session:
        yield RunContext(opened, session, opened.recipe)
