"""What a report tells of its run beside the evidence: its cost, and the documents in quarantine. No gate reads it."""

from dataclasses import dataclass

from pipeline.types import StageSeconds


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A document in quarantine: its name or title, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RunAccount:
    """seconds: of each stage so far. steps, tokens: of training. set_aside: what is in quarantine, newest first."""

    seconds: tuple[StageSeconds, ...] = ()
    steps: int = 0
    tokens: int = 0
    set_aside: tuple[SetAside, ...] = ()

    @property
    def whole(self) -> float:
        """Seconds of work in all."""
        return sum(one.seconds for one in self.seconds)


NO_ACCOUNT = RunAccount()
