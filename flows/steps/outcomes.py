"""The endings of a night that trained nothing, in words."""

from flows.outcome import Ended, NightOutcome
from pipeline.errors import Busy
from pipeline.types import IntakeCounts, Night, Release

# What a rebuild takes in.
NOTHING_TAKEN = IntakeCounts(queued=0, duplicates=0, refused=0)


def held_back(waiting: Release, taken: IntakeCounts = NOTHING_TAKEN) -> NightOutcome:
    """A candidate still waits: a second one could only be void once the first is approved."""
    number = waiting.number
    further = "" if taken is NOTHING_TAKEN else f" {_counted(taken)}, and the next night learns them."
    return NightOutcome(
        ended=Ended.HELD,
        sentence=f"release {number} still waits for review: `sealed approve {number}` or `sealed reject {number}`."
        f"{further}",
        release=number,
        refused_documents=taken.refused,
        mended_documents=taken.mended,
    )


def nothing_to_learn(night: Night, taken: IntakeCounts) -> NightOutcome:
    """There was no document in the queue."""
    return NightOutcome(
        ended=Ended.NOTHING_NEW,
        sentence=f"no document waits to be learned. {_counted(taken)}.",
        night=night.number,
        refused_documents=taken.refused,
        mended_documents=taken.mended,
    )


def nothing_left() -> NightOutcome:
    """Nothing that was learned stays: what a rebuild would make is the base itself."""
    return NightOutcome(
        ended=Ended.NOTHING_NEW,
        sentence="no document that is learned stays, so there is nothing to rebuild: `sealed rollback 0 --reason ...` "
        "makes the untouched base production.",
    )


def busy(other: Busy) -> NightOutcome:
    """Another run is at work."""
    return NightOutcome(ended=Ended.BUSY, sentence=str(other))


def _counted(taken: IntakeCounts) -> str:
    mended = f", {taken.mended} known with mended questions" if taken.mended else ""
    return f"{taken.queued} new documents were taken in, {taken.duplicates} known{mended}, {taken.refused} quarantined"
