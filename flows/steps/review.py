"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else."""

from dataclasses import dataclass

from flows.wiring import Workspace
from pipeline.types import Approval, Deployment
from registry import deploy
from registry.deploy import Reconciled


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The newest line of the deployment history, and how far MLflow has followed.

    `already`: it stood there before, so nothing was decided anew.
    """

    deployment: Deployment
    reconciled: Reconciled
    already: bool = False


def approve(workspace: Workspace, release: int, *, actor: str, note: str) -> Decided:
    """Approves a candidate and makes it production. Raises PolicyError, NoSuchRelease, CorruptAdapter, WrongBase."""
    days = workspace.settings.approval_days
    approval = deploy.approve(workspace.store, release, actor=actor, note=note, approval_days=days)
    deployment = deploy.promote(workspace.store, approval, approval_days=days, verify=workspace.verify)
    return Decided(deployment=deployment, reconciled=follow(workspace))


def reject(workspace: Workspace, release: int, *, actor: str, reason: str) -> Approval:
    """Rejects a candidate; its documents are quarantined with the reason. Raises PolicyError, NoSuchRelease."""
    approval = deploy.reject(workspace.store, release, actor=actor, reason=reason)
    follow(workspace)
    return approval


def rollback(workspace: Workspace, target: int | None, *, actor: str, reason: str) -> Decided:
    """Puts an earlier release back, also with MLflow down. Raises PolicyError, NoSuchRelease, CorruptAdapter.

    Once more to the same `target` decides nothing, and makes what was left behind follow.
    """
    if target is not None and (done := deploy.rolled_back_to(workspace.store, target)) is not None:
        return Decided(deployment=done, reconciled=follow(workspace), already=True)
    deployment = deploy.rollback(workspace.store, target, actor=actor, reason=reason, verify=workspace.verify)
    return Decided(deployment=deployment, reconciled=follow(workspace))


def follow(workspace: Workspace) -> Reconciled:
    """Makes MLflow match the ledger; what cannot follow now is reported and follows next time."""
    return deploy.reconcile(workspace.store, workspace.tracking)
