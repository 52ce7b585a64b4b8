"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else."""

from dataclasses import dataclass

from flows.wiring import Workspace
from pipeline.types import Approval, Deployment
from registry import Reconciled


@dataclass(frozen=True, kw_only=True)
class ProductionChange:
    """The newest deployment, and what was reconciled after it. `already`: it was there before, nothing was decided."""

    deployment: Deployment
    reconciled: Reconciled
    already: bool = False


def approve(workspace: Workspace, release: int, *, actor: str, note: str) -> ProductionChange:
    """Approves a candidate and makes it production. Raises PolicyError, NoSuchRelease, CorruptAdapter, WrongBase."""
    days = workspace.settings.approval_days
    approval = workspace.ledger.deployments.approve(release, actor=actor, note=note, approval_days=days)
    deployment = workspace.ledger.deployments.promote(approval, approval_days=days, verify=workspace.verify)
    return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())


def reject(workspace: Workspace, release: int, *, actor: str, reason: str) -> Approval:
    """Rejects a candidate; its documents are quarantined with the reason. Raises PolicyError, NoSuchRelease."""
    approval = workspace.ledger.deployments.reject(release, actor=actor, reason=reason)
    workspace.reconcile()
    return approval


def rollback(workspace: Workspace, target: int | None, *, actor: str, reason: str) -> ProductionChange:
    """Puts an earlier release back, also with MLflow down. Raises PolicyError, NoSuchRelease, CorruptAdapter.

    Once more to the same `target` decides nothing, and makes what was left behind follow.
    """
    if target is not None and (done := workspace.ledger.deployments.rolled_back_to(target)) is not None:
        return ProductionChange(deployment=done, reconciled=workspace.reconcile(), already=True)
    deployment = workspace.ledger.deployments.rollback(target, actor=actor, reason=reason, verify=workspace.verify)
    return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())
