"""What is known, what was decided, and which release is production. Knows neither gates nor flows.

What needs MLflow stands in `registry.mlflow`, whose import is slow.
"""

from registry.approvers import ReviewRules
from registry.deploy import ReviewContext
from registry.high_water import HighWater
from registry.keys import read_keys
from registry.ledger import Ledger, LedgerSession, create_ledger, open_ledger
from registry.signing import KeyRing
from registry.store.canaries import Canary
from registry.store.releases import KEPT
from registry.store.review_decisions import WaitingDecision
from registry.tracking import Reconciled, Tracking

__all__ = [
    "KEPT",
    "Canary",
    "HighWater",
    "KeyRing",
    "Ledger",
    "LedgerSession",
    "Reconciled",
    "ReviewContext",
    "ReviewRules",
    "Tracking",
    "WaitingDecision",
    "create_ledger",
    "open_ledger",
    "read_keys",
]
