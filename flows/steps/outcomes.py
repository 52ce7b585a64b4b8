"""The endings of a run that trained nothing, in words."""

from flows.outcome import Ended, RunOutcome
from pipeline.errors import LockedError
from pipeline.types import IngestCounts, Release, Run

# What a rebuild takes in.
NOTHING_TAKEN = IngestCounts(queued=0, duplicates=0, refused=0)


def held_back(waiting: Release, taken: IngestCounts = NOTHING_TAKEN) -> RunOutcome:
    """A candidate still waits: a second one could only be void once the first is approved."""
    number = waiting.number
    further = "" if taken is NOTHING_TAKEN else f" {_counted(taken)}, and the next run learns them."
    return RunOutcome(
        ended=Ended.HELD,
        sentence=f"release {number} still waits for review: `sealed approve {number}` or `sealed reject {number}`."
        f"{further}",
        release=number,
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )


def nothing_to_learn(run: Run, taken: IngestCounts) -> RunOutcome:
    """There was no document in the queue."""
    return RunOutcome(
        ended=Ended.NOTHING_NEW,
        sentence=f"no document waits to be learned. {_counted(taken)}.",
        run=run.number,
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )


def nothing_left() -> RunOutcome:
    """Nothing that was learned stays: what a rebuild would make is the base itself."""
    return RunOutcome(
        ended=Ended.NOTHING_NEW,
        sentence="no document that is learned stays, so there is nothing to rebuild: "
        "`sealed rollback --to 0 --reason ...` makes the base model production.",
    )


def busy(other: LockedError) -> RunOutcome:
    """Another run is at work."""
    return RunOutcome(ended=Ended.BUSY, sentence=str(other))


def _counted(taken: IngestCounts) -> str:
    updated = f", {taken.updated} known with updated questions" if taken.updated else ""
    return f"{taken.queued} new documents were taken in, {taken.duplicates} known{updated}, {taken.refused} quarantined"
