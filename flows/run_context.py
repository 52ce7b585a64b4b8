"""The context of a run: the workspace, the ledger session that keeps every other run out, and the recipe."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flows.wiring import Workspace
from gates.suite import Suites
from pipeline.adapters.saving import retain
from pipeline.progress import step
from pipeline.recipe import Recipe
from pipeline.types import Release, ReleaseState, Run
from registry import Ledger, LedgerSession


@dataclass(frozen=True)
class RunContext:
    """The workspace, the session through which this run writes to the ledger, and the recipe as the run began."""

    workspace: Workspace
    session: LedgerSession
    recipe: Recipe

    @property
    def ledger(self) -> Ledger:
        return self.workspace.ledger

    @property
    def suites(self) -> Suites:
        """The benchmark suites by this run's recipe, read anew each time."""
        return self.workspace.suites_by(self.recipe.suites)

    def production(self, run: Run) -> Release:
        """The release that was production when the run began, and is so as long as the run is valid."""
        return self.ledger.releases.get(run.parent)

    def candidate_in_review(self) -> Release | None:
        """The candidate that waits for a reviewer: while there is one, no new run starts."""
        waiting = [release for release in self.ledger.releases.listed() if release.state is ReleaseState.CANDIDATE]
        return waiting[-1] if waiting else None

    def retain_adapters(self, *updates: str) -> None:
        """Deletes the local adapters that no release needs any more, but for those of these updates."""
        needed = {release.update for release in self.ledger.releases.needed()}
        retain(self.workspace.settings.adapters, needed | set(updates))

    @contextmanager
    def stage(self, run: Run, stage: str, progress: str | None = None) -> Iterator[None]:
        """Adds the seconds of this block to the run's `stage`, also of a resumed one, and reports it as `progress`."""
        started = time.monotonic()
        if progress is None:
            yield
        else:
            with step(progress):
                yield
        self.session.runs.add_seconds(run.number, stage, time.monotonic() - started)
