"""The ledger as the server uses it: opened at its first use, read anew for each request, written once a decision."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Settings
from pipeline.errors import BadInput
from pipeline.types import ReviewDecision
from registry.ledger import Ledger, open_ledger
from registry.mlflow.app.view import LedgerView

# How long a person waits for a SQLite ledger that a run writes to, before the answer is 503.
BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class LedgerAddress:
    """Where the ledger is, and the name of the registered model that shows its releases."""

    url: str
    model: str


def ledger_address(environment: Mapping[str, str]) -> LedgerAddress:
    """From SEALED_WORKSPACE, or from SEALED_DATABASE_URL (and SEALED_MODEL_NAME) on a host without the workspace.

    Raises BadInput where neither is set; NoWorkspace where the folder is none.
    """
    folder, url = environment.get("SEALED_WORKSPACE"), environment.get("SEALED_DATABASE_URL")
    if folder:
        settings = Settings.read(Path(folder))
        return LedgerAddress(settings.database_url, settings.model_name)
    if url:
        return LedgerAddress(url, environment.get("SEALED_MODEL_NAME") or "sealed")
    raise BadInput("this server has no ledger: set SEALED_WORKSPACE or SEALED_DATABASE_URL, and start it again.")


class ServerLedger:
    """The ledger of one server process. Every method raises DatabaseFailed where the ledger does not answer."""

    def __init__(self, address: LedgerAddress) -> None:
        self._address = address
        self._opening = threading.Lock()
        self._opened: Ledger | None = None

    def view(self) -> LedgerView:
        """What the ledger says now."""
        ledger = self._ledger()
        return LedgerView(
            model=self._address.model,
            releases=ledger.releases.listed(),
            history=ledger.deployments.listed(),
            unused=ledger.review_decisions.unused(),
            concluded=ledger.review_decisions.concluded(),
        )

    def record(self, decision: ReviewDecision) -> None:
        """Adds a decision, in a transaction of its own."""
        self._ledger().review_decisions.record(decision)

    def _ledger(self) -> Ledger:
        with self._opening:
            if self._opened is None:
                self._opened = open_ledger(self._address.url, busy_seconds=BUSY_SECONDS)
            return self._opened
