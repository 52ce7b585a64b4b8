"""Approving and rejecting as Prefect flows, for teams that review from the Prefect UI or an automation."""

from pathlib import Path

from prefect import flow

from flows.steps import review
from flows.wiring import open_workspace


@flow(name="approve", flow_run_name="approve release {release}")
def approve(workspace: Path, release: int, actor: str, note: str) -> int:
    """Approves a candidate and makes it production. Returns the deployment's epoch."""
    return review.approve(open_workspace(workspace), release, actor=actor, note=note).deployment.epoch


@flow(name="reject", flow_run_name="reject release {release}")
def reject(workspace: Path, release: int, actor: str, reason: str) -> int:
    """Rejects a candidate. Returns its number."""
    return review.reject(open_workspace(workspace), release, actor=actor, reason=reason).release
