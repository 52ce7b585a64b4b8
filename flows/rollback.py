"""Rolling back as a Prefect flow, for automations; on-call uses `sealed rollback`, which needs no Prefect."""

from pathlib import Path

from prefect import flow

from flows.steps import review
from flows.wiring import open_workspace


@flow(name="rollback", flow_run_name="roll back {workspace}")
def rollback(workspace: Path, actor: str, reason: str, target: int | None = None) -> int:
    """Puts an earlier release back (default: the previous production). Returns the deployment's epoch."""
    return review.rollback(open_workspace(workspace), target, actor=actor, reason=reason).deployment.epoch
