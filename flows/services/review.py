"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else.

Only a team's approvals and rejections need MLflow too: it proves who gives them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flows.wiring import Workspace
from pipeline.actors import running_account
from pipeline.types import Actor, Approval, Deployment
from registry import Reconciled
from registry.sign_in import sign_in

Password = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class ProductionChange:
    """The newest deployment, and what was reconciled after it. `already`: it was there before, nothing was decided.

    `missing`: where an approval was recorded and production did not move, which approvals are lacking, in a sentence.
    """

    deployment: Deployment
    reconciled: Reconciled
    already: bool = False
    missing: str = ""


def identify(workspace: Workspace, name: str, password: Password | None = None) -> Actor:
    """Who decides. A single person's workspace takes the `name` as it is typed, beside the account: unproven.

    A team's signs in to MLflow, where `password(name)` gives one; without it the name stays unproven, and the rules
    refuse it. Raises PolicyError where MLflow does not let that person in, TrackingFailed.
    """
    if workspace.settings.review == "single" or password is None:
        return Actor(name=name, account=running_account())
    return sign_in(workspace.settings.tracking_uri, name, password(name), account=running_account())


def approve(
    workspace: Workspace, release: int, *, actor: str, note: str, password: Password | None = None
) -> ProductionChange:
    """Approves a candidate, and makes it production once as many people approved it as must.

    Raises PolicyError, NoSuchRelease, CorruptAdapter, WrongBase, LedgerTampered, TrackingFailed.
    """
    return approve_as(workspace, release, by=identify(workspace, actor, password), note=note)


def approve_as(workspace: Workspace, release: int, *, by: Actor, note: str) -> ProductionChange:
    """Likewise, by a person who is known already."""
    approval = workspace.ledger.deployments.approve(release, actor=by, note=note, rules=workspace.review_rules)
    return promote_by(workspace, approval)


def promote_by(workspace: Workspace, approval: Approval) -> ProductionChange:
    """Likewise, where the approval was given earlier and elsewhere, such as on MLflow's page: over its manifest, at its
    epoch. Raises PolicyError, in words, where it is void by now.
    """
    deployments, context = workspace.ledger.deployments, workspace.review_context
    if (deployment := deployments.promote(approval, context=context)) is not None:
        return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())
    missing = deployments.still_missing(approval.release, rules=context.rules)
    return ProductionChange(deployment=deployments.listed()[-1], reconciled=workspace.reconcile(), missing=missing)


def reject(
    workspace: Workspace, release: int, *, actor: str, reason: str, password: Password | None = None
) -> Approval:
    """Rejects a candidate; its documents are quarantined with the reason. Raises PolicyError, NoSuchRelease."""
    return reject_as(workspace, release, by=identify(workspace, actor, password), reason=reason)


def reject_as(workspace: Workspace, release: int, *, by: Actor, reason: str) -> Approval:
    """Likewise, by a person who is known already."""
    rejection = workspace.ledger.deployments.reject(release, actor=by, reason=reason, context=workspace.review_context)
    workspace.reconcile()
    return rejection


def rollback(workspace: Workspace, target: int | None, *, actor: str, reason: str) -> ProductionChange:
    """Puts an earlier release back, also with MLflow down: nobody signs in for it, and the record says so.

    Raises PolicyError, NoSuchRelease, CorruptAdapter, BadSignature, LedgerTampered. Once more to the same `target`
    decides nothing, and makes what was left behind follow.
    """
    deployments = workspace.ledger.deployments
    if target is not None and (done := deployments.rolled_back_to(target)) is not None:
        return ProductionChange(deployment=done, reconciled=workspace.reconcile(), already=True)
    by = Actor(name=actor, account=running_account())
    deployment = deployments.rollback(target, actor=by, reason=reason, context=workspace.review_context)
    return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())
