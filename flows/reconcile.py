"""The reconciliation that runs every few seconds as a Prefect flow. `sealed reconcile` does it without Prefect."""

import logging
from pathlib import Path

from prefect import flow

from flows.services import adoption
from flows.wiring import open_workspace

log = logging.getLogger("sealed")


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile(workspace: Path) -> int:
    """Adopts what people decided in MLflow and makes MLflow match the ledger. Returns the number of decisions."""
    done = adoption.reconcile(open_workspace(workspace))
    for sentence in done.sentences:
        log.warning("%s", sentence)
    return len(done.outcomes)
