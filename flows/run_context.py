"""One run's right to work on the night: the workspace's parts and the lease that keeps every other run out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.wiring import House, house
from pipeline.recipe import Recipe
from pipeline.types import Lease
from registry.store import lease


@dataclass(frozen=True)
class Shift:
    """The workspace's parts, the lease under which the ledger lets this run write, and the recipe of its start."""

    house: House
    lease: Lease
    recipe: Recipe


@contextmanager
def the_only_shift(workspace: Path) -> Iterator[Shift]:
    """Takes the night's lease and gives it back. Raises Busy while another live run holds it."""
    parts = house(workspace)
    with lease.night_lease(parts.store) as held:
        yield Shift(parts, held, parts.recipe)
