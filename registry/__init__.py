"""What is known, what was decided, and which release is production. Knows neither gates nor flows.

What needs MLflow stands in `registry.mlflow`, whose import is slow.
"""

from registry.ledger import Ledger, LedgerSession, create_ledger, open_ledger
from registry.store.canaries import Canary
from registry.store.releases import KEPT
from registry.tracking import Reconciled, Tracking

__all__ = ["KEPT", "Canary", "Ledger", "LedgerSession", "Reconciled", "Tracking", "create_ledger", "open_ledger"]
