"""What `sealed status` shows: production, the queue, the last night, and the next thing for a person to do."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.wiring import House
from pipeline.types import Deployment, DocumentState, Release, ReleaseState
from registry import lifecycle
from registry.store import documents, lease, nights, releases


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The state of a workspace at a glance; an empty sentence means there is nothing of the kind."""

    production: Release
    deployment: Deployment
    documents: tuple[tuple[DocumentState, int], ...]
    last_night: str
    at_work: str
    in_review: str
    next_step: str


def overview(house: House) -> Overview:
    """Reads the ledger only: no model, no MLflow, no scheduler."""
    store = house.store
    held = lease.holder(store)
    known = nights.listed(store)
    waiting = [release for release in releases.listed(store) if release.state is ReleaseState.CANDIDATE]
    candidates = [release.number for release in waiting]
    at, days = datetime.now(UTC), house.settings.approval_days
    too_old = lifecycle.against_waiting(waiting[-1], at, days) if waiting else None
    counts = documents.count(store)
    usual = next_step(candidates, dict(counts), unfinished=nights.unfinished(store) is not None, busy=bool(held))
    return Overview(
        production=releases.production(store),
        deployment=releases.deployments(store)[-1],
        documents=tuple((state, count) for state, count in counts if count),
        last_night=f"night {known[-1].number}: {known[-1].state} {known[-1].sentence}".strip() if known else "",
        at_work=f"{held.holder}" if held else "",
        in_review=", ".join(f"release {number}" for number in candidates),
        next_step=too_old or usual,
    )


def next_step(candidates: list[int], counts: dict[DocumentState, int], *, unfinished: bool, busy: bool) -> str:
    """The one thing that a person would do now, in words."""
    if candidates:
        return f"`sealed show {candidates[-1]}`, then `sealed approve {candidates[-1]}` or `sealed reject`"
    if busy:
        return "wait: a night is under way"
    if unfinished:
        return "`sealed update` goes on with the interrupted night"
    if counts.get(DocumentState.QUEUED):
        return "`sealed update` learns the queued documents"
    return "put documents into incoming/, then `sealed update`"
