"""One run's right to work on the run: the workspace's parts and the lease that keeps every other run out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.wiring import Workspace, open_workspace
from pipeline.recipe import Recipe
from pipeline.types import Lease
from registry.store import lease


@dataclass(frozen=True)
class RunContext:
    """The workspace's parts, the lease under which the ledger lets this run write, and the recipe of its start."""

    workspace: Workspace
    lease: Lease
    recipe: Recipe


@contextmanager
def acquire_run(workspace: Path) -> Iterator[RunContext]:
    """Takes the run's lease and gives it back. Raises LockedError while another live run holds it."""
    parts = open_workspace(workspace)
    with lease.run_lease(parts.store) as held:
        yield RunContext(parts, held, parts.recipe)
