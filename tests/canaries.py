"""A canary of the newest deployment, as an approval would have begun it."""

from datetime import datetime

from pipeline.recipe import CanaryPolicy
from registry import Canary, Ledger
from registry.store.canaries import begin
from registry.store.database import now


def begin_canary(ledger: Ledger, policy: CanaryPolicy | None = None, at: datetime | None = None) -> Canary | None:
    """See `registry.store.canaries.begin`. The policy is the default one unless it is given."""
    with ledger.database.write() as connection:
        return begin(connection, policy or CanaryPolicy(enabled=True), at or now())
