"""What people decided in MLflow's user interface, and what became of it: two tables that are only ever added to.

The server of the user interface records decisions, and signs each; whoever adopts them records the outcomes.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from pipeline.types import ReviewDecision, ReviewOutcome
from registry import columns
from registry.chain import against_row
from registry.review_tables import review_decisions, review_outcomes
from registry.signing import KeyRing
from registry.store import journal
from registry.store.database import Database


@dataclass(frozen=True, kw_only=True)
class WaitingDecision:
    """A decision that nobody used yet. `forged`: why nobody who signed in can have taken it, in words, or None."""

    decision: ReviewDecision
    forged: str | None = None


@dataclass(frozen=True)
class ReviewDecisions:
    """Reads and adds decisions and their outcomes. Judges none."""

    database: Database

    def record(self, decision: ReviewDecision, own: Ed25519PrivateKey) -> ReviewDecision:
        """Adds a decision, signed with `own`, in a transaction of its own, and returns it with its number.

        Raises DatabaseFailed.
        """
        with self.database.write() as connection:
            return journal.add_decision(connection, decision, own)

    def waiting(self, keys: KeyRing) -> tuple[WaitingDecision, ...]:
        """The decisions without an outcome, oldest first, each checked against the signatures that count."""
        with self.database.read() as connection:
            used = set(connection.execute(select(review_outcomes.c.decision)).scalars())
            rows = [(row, made) for row, made in journal.decision_rows(connection) if made.number not in used]
        return tuple(WaitingDecision(decision=made, forged=against_row(row, keys.over_decisions)) for row, made in rows)

    def expect_unbroken(self, keys: KeyRing) -> int:
        """Checks that none was forged, altered or removed. Returns how many there are. Raises LedgerTampered."""
        with self.database.read() as connection:
            return journal.expect_decisions_unbroken(connection, keys)

    def concluded(self) -> tuple[tuple[ReviewDecision, ReviewOutcome], ...]:
        """The decisions that have an outcome, each with it, oldest first."""
        decisions = select(review_decisions).order_by(review_decisions.c.number)
        with self.database.read() as connection:
            rows = connection.execute(select(review_outcomes)).mappings()
            outcomes = {row["decision"]: columns.decode(ReviewOutcome, {**row}) for row in rows}
            made = [columns.decode(ReviewDecision, {**row}) for row in connection.execute(decisions).mappings()]
        return tuple((one, outcomes[one.number]) for one in made if one.number in outcomes)

    def conclude(self, outcome: ReviewOutcome) -> bool:
        """Adds what became of a decision; False, and nothing is added, where another process did so before."""
        known = select(review_outcomes.c.decision).where(review_outcomes.c.decision == outcome.decision)
        with self.database.write() as connection:
            if connection.execute(known).first() is not None:
                return False
            connection.execute(insert(review_outcomes).values(columns.fields_of(outcome)))
        return True
