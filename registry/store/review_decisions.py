"""What people decided in MLflow's user interface, and what became of it: two tables that are only ever added to.

The server of the user interface records decisions; whoever adopts them records the outcomes.
"""

from dataclasses import dataclass, replace

from sqlalchemy import insert, select

from pipeline.types import ReviewDecision, ReviewOutcome
from registry import columns
from registry.review_tables import review_decisions, review_outcomes
from registry.store.database import Database


@dataclass(frozen=True)
class ReviewDecisions:
    """Reads and adds decisions and their outcomes. Judges none."""

    database: Database

    def record(self, decision: ReviewDecision) -> ReviewDecision:
        """Adds a decision, in a transaction of its own, and returns it with its number. Raises DatabaseFailed."""
        values = columns.fields_of(decision)
        del values["number"]
        with self.database.write() as connection:
            added = insert(review_decisions).values(values).returning(review_decisions.c.number)
            return replace(decision, number=connection.execute(added).scalar_one())

    def unused(self) -> tuple[ReviewDecision, ...]:
        """The decisions without an outcome, oldest first."""
        used = select(review_outcomes.c.decision)
        query = select(review_decisions).where(review_decisions.c.number.not_in(used))
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(review_decisions.c.number)).mappings()
            return tuple(columns.decode(ReviewDecision, {**row}) for row in rows)

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
