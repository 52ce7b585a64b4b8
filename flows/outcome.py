"""How a run ended, in words and with the exit code that scripts rely on."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.types import Bisection, Figure, IngestCounts, StageSeconds, Verdict

# What a run ingests that reads no documents.
NOTHING_INGESTED = IngestCounts(queued=0, duplicates=0, refused=0)


class Ended(StrEnum):
    """The ways a run ends. Those of NO_SUCCESS are outcomes all the same."""

    WAITING = "waiting for review"
    REFUSED = "refused by the gates"
    UNWRITTEN = "nothing to train on"
    NOTHING_NEW = "nothing to learn"
    HELD = "held back"
    NOT_TESTABLE = "not testable"
    BUSY = "busy"


NO_SUCCESS = (Ended.REFUSED, Ended.UNWRITTEN, Ended.NOT_TESTABLE)

# The names of the states in which Prefect shows these endings: an automation matches `prefect.flow-run.NAME`.
STATES = {
    Ended.WAITING: "AwaitingReview",
    Ended.REFUSED: "Rejected",
    Ended.UNWRITTEN: "NothingToTrainOn",
    Ended.NOTHING_NEW: "Empty",
    Ended.HELD: "HeldBack",
    Ended.NOT_TESTABLE: "NotTestable",
    Ended.BUSY: "Busy",
}


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run did. `figures` are the report's shares; `release` is the candidate's number, if any.

    `bisection`: what was tried where it failed its gates; `documents` are those that were left of it.
    """

    ended: Ended
    sentence: str
    run: int | None = None
    release: int | None = None
    documents: int = 0
    eval_items: int = 0
    refused_documents: int = 0
    updated_documents: int = 0
    verdict: str | None = None
    bisection: Bisection | None = None
    figures: tuple[Figure, ...] = ()
    seconds: tuple[StageSeconds, ...] = ()

    @property
    def seconds_total(self) -> float:
        return sum(stage.seconds for stage in self.seconds)

    @property
    def state(self) -> str:
        """The name of the Prefect state that the run ends in."""
        return "Inconclusive" if self.verdict == Verdict.INCONCLUSIVE else STATES[self.ended]

    @property
    def exit_code(self) -> int:
        """0 when a person has nothing to do but review; 3 when a gate refused the run, no self-edit was usable, or the
        documents that wait have too few test questions."""
        return 3 if self.ended in NO_SUCCESS else 0
