"""Reads the incoming folder into the ledger, and opens the night: a new one, or the one that a kill interrupted."""

import time
from dataclasses import replace
from pathlib import Path

from flows.progress import stage
from flows.run_context import Shift
from flows.steps.registration import lost
from flows.steps.review import follow
from pipeline.errors import BadInput
from pipeline.types import IntakeCounts, Night, NightKind, PracticeAsk, Release, ReleaseState
from registry import deploy
from registry.deploy import Reconciled
from registry.store import documents, releases, runs


def catch_up(shift: Shift) -> Reconciled:
    """Gives up a candidate that nobody reviewed in time, and makes what was left behind follow the ledger."""
    deploy.expire(shift.house.store, approval_days=shift.house.settings.approval_days)
    return follow(shift.house)


def take_in(shift: Shift, folder: Path | None) -> IntakeCounts:
    """Stores the new documents of `folder` (default: the workspace's incoming). Raises BadInput if it is no folder."""
    from pipeline.documents.ingestion import take_in
    from pipeline.documents.sources.folder import read

    source = folder or shift.house.settings.incoming
    if not source.is_dir():
        raise BadInput(f"{source} is not a folder. Give the folder that holds the night's documents.")
    rules = shift.recipe.documents
    report = stage("taking documents in")
    report(0, 1)
    started = time.monotonic()
    counts = documents.accept(shift.house.store, take_in(read(source, rules.max_bytes), rules))
    report(1, 1)
    return replace(counts, seconds=time.monotonic() - started)


def candidate_in_review(shift: Shift) -> Release | None:
    """The candidate that still waits for a reviewer: while there is one, no new night starts."""
    waiting = [release for release in releases.listed(shift.house.store) if release.state is ReleaseState.CANDIDATE]
    return waiting[-1] if waiting else None


def open_night(shift: Shift, proposer: str, taken: IntakeCounts) -> Night:
    """Resumes the unfinished night if it still stands on production and on this recipe, else begins a new one.

    A night that was registering is given up, too, where its adapter or its report is gone.
    """
    store, recipe = shift.house.store, shift.recipe
    if (unfinished := resumed(shift, NightKind.NIGHTLY)) is not None:
        return unfinished
    night = runs.begin(store, shift.lease, limit=recipe.documents.per_night, proposer=proposer, recipe=recipe.digest)
    runs.add_seconds(store, shift.lease, night.number, "intake", taken.seconds)
    return night


def resumed(shift: Shift, kind: NightKind, asked: PracticeAsk | None = None) -> Night | None:
    """The unfinished night, where it is of this kind, `asked` for so, and may go on; one that may not is given up."""
    unfinished = runs.unfinished(shift.house.store)
    if unfinished is None:
        return None
    production = releases.production(shift.house.store).number
    stale = (
        _of_another_kind(unfinished, kind, asked)
        or _no_longer_valid(unfinished, production, shift.recipe.digest)
        or lost(shift, unfinished)
    )
    if stale is None:
        return unfinished
    runs.abandon(shift.house.store, shift.lease, unfinished.number, stale)
    return None


def _of_another_kind(night: Night, kind: NightKind, asked: PracticeAsk | None) -> str | None:
    if night.kind is not kind:
        return f"a {kind} run began while this {night.kind} one was interrupted"
    if night.asked != asked:
        return f"a {kind} run that was asked for otherwise began while this one was interrupted"
    return None


def _no_longer_valid(night: Night, production: int, recipe: str) -> str | None:
    if night.parent != production:
        return f"production moved from release {night.parent} to {production} while this night was interrupted"
    if night.recipe != recipe:
        return "the recipe changed while this night was interrupted"
    return None
