"""What a report tells of its run beside the evidence: its cost, and what was set aside or dropped. No gate reads it."""

from collections import Counter
from dataclasses import dataclass

from pipeline.types import Dropped, StageSeconds


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A document in quarantine: its name or title, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class DroppedFor:
    """How many self-edits and examples were dropped for one reason, and about how many documents."""

    reason: str
    count: int
    documents: int


@dataclass(frozen=True, kw_only=True)
class RunAccount:
    """seconds: of each stage so far. steps, tokens: of training. set_aside: what is in quarantine, newest first.

    remarks: what intake changed or left out of the run's documents. dropped: of what the model wrote about them.
    """

    seconds: tuple[StageSeconds, ...] = ()
    steps: int = 0
    tokens: int = 0
    set_aside: tuple[SetAside, ...] = ()
    remarks: tuple[SetAside, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    @property
    def dropped_by_reason(self) -> tuple[DroppedFor, ...]:
        """The reasons, the most frequent first."""
        counts: Counter[str] = Counter()
        about: dict[str, set[str]] = {}
        for one in self.dropped:
            counts[one.reason] += one.count
            about.setdefault(one.reason, set()).add(one.document)
        rows = (
            DroppedFor(reason=reason, count=count, documents=len(about[reason])) for reason, count in counts.items()
        )
        return tuple(sorted(rows, key=lambda row: (-row.count, row.reason)))

    @property
    def whole(self) -> float:
        """Seconds of work in all."""
        return sum(one.seconds for one in self.seconds)


NO_ACCOUNT = RunAccount()
