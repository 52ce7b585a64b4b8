"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else."""

from dataclasses import dataclass

from flows.wiring import House
from pipeline.types import Approval, Deployment
from registry import deploy
from registry.deploy import Reconciled


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A new line of the deployment history, and how far MLflow and the servers have followed."""

    deployment: Deployment
    reconciled: Reconciled


def approve(house: House, release: int, *, actor: str, note: str) -> Moved:
    """Approves a candidate and makes it production. Raises Refused, NoSuchRelease, CorruptAdapter, WrongBase."""
    days = house.settings.approval_days
    approval = deploy.approve(house.store, release, actor=actor, note=note, approval_days=days)
    deployment = deploy.promote(house.store, approval, approval_days=days, verify=house.verify)
    return Moved(deployment=deployment, reconciled=follow(house))


def reject(house: House, release: int, *, actor: str, reason: str) -> Approval:
    """Rejects a candidate; its documents are quarantined with the reason. Raises Refused, NoSuchRelease."""
    approval = deploy.reject(house.store, release, actor=actor, reason=reason)
    follow(house)
    return approval


def rollback(house: House, target: int | None, *, actor: str, reason: str) -> Moved:
    """Puts an earlier release back, also with MLflow down. Raises Refused, NoSuchRelease, CorruptAdapter."""
    deployment = deploy.rollback(house.store, target, actor=actor, reason=reason, verify=house.verify)
    return Moved(deployment=deployment, reconciled=follow(house))


def follow(house: House) -> Reconciled:
    """Makes the servers and MLflow match the ledger; what cannot follow now is reported and follows next time."""
    return deploy.reconcile(house.store, house.tracking, (house.server,))
