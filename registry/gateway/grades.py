"""Feedback as evidence on a canary: which release it grades, and the row of the ledger that it becomes."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.digests import digest_of
from pipeline.types import Outcome
from registry.gateway.feedback import Grade
from registry.gateway.routing import is_named
from registry.ledger import Ledger


@dataclass(frozen=True)
class LedgerGrades:
    """Records grades in the ledger."""

    ledger: Ledger

    def record(self, grade: Grade) -> bool:
        """Records the grade, by a digest of its key. Raises DatabaseFailed.

        False where it does not count: there is no canary, it is on a release that the canary is not compared with, or
        this key has had its say today.
        """
        canary = self.ledger.canaries.current()
        if canary is None:
            return False
        graded, failed = self._release(grade, canary.release, canary.stable), not grade.good
        if graded is None:
            return False
        outcome = Outcome(
            epoch=canary.epoch,
            key=digest_of("feedback", grade.key),
            at=datetime.now(UTC),
            canary_failed=failed if graded == canary.release else None,
            stable_failed=failed if graded == canary.stable else None,
            source=grade.source and digest_of("source", grade.source),
        )
        return self.ledger.canaries.record([outcome]) == 1

    def _release(self, grade: Grade, *numbers: int) -> int | None:
        """Which of these releases a grade is on."""
        known = (self.ledger.releases.get(number) for number in numbers)
        return next((release.number for release in known if is_named(release, grade.model)), None)
