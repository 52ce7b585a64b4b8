"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from flows.wiring import Workspace
from pipeline.errors import Overtaken, PolicyError
from pipeline.types import Approval, Deployment, Release
from registry import KEPT, Reconciled


@dataclass(frozen=True, kw_only=True)
class ProductionChange:
    """The newest deployment, and what was reconciled after it. `already`: it was there before, nothing was decided."""

    deployment: Deployment
    reconciled: Reconciled
    already: bool = False


def approve(workspace: Workspace, release: int, *, actor: str, note: str) -> ProductionChange:
    """Approves a candidate and makes it production; its canary begins, if the recipe has canaries.

    Raises PolicyError, NoSuchRelease, CorruptAdapter, WrongBase, BadRecipe.
    """
    days = workspace.settings.approval_days
    approval = workspace.ledger.deployments.approve(release, actor=actor, note=note, approval_days=days)
    _expect_stable_stays(workspace)
    canary = workspace.recipe.policy.canary
    deployment = workspace.ledger.deployments.promote(approval, approval_days=days, verify=workspace.verify)
    if canary.enabled:
        workspace.ledger.canaries.begin(canary)
    return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())


def _expect_stable_stays(workspace: Workspace) -> None:
    """Raises PolicyError where one more release would let go of the adapter that most requests are answered with."""
    canary, releases = workspace.ledger.canaries.current(), workspace.ledger.releases
    if canary is None or canary.is_proven or canary.stable == 0:
        return
    line = [releases.production()]
    while (parent := line[-1].parent) is not None and len(line) < KEPT:
        line.append(releases.get(parent))
    if canary.stable not in [release.number for release in line]:
        raise PolicyError(
            f"release {canary.stable} still answers most requests: of the {KEPT} after it none has got all of them. "
            "Let the canary go on, give it more with `sealed promote`, or roll back."
        )


def reject(workspace: Workspace, release: int, *, actor: str, reason: str) -> Approval:
    """Rejects a candidate; its documents are quarantined with the reason. Raises PolicyError, NoSuchRelease."""
    approval = workspace.ledger.deployments.reject(release, actor=actor, reason=reason)
    workspace.reconcile()
    return approval


def rollback(
    workspace: Workspace, target: int | None, *, actor: str, reason: str, epoch: int | None = None
) -> ProductionChange:
    """Puts an earlier release back, also with MLflow down. Raises PolicyError, NoSuchRelease, CorruptAdapter.

    Without a `target`, that is the release that the canary is compared with, or else the production before this one.
    Once more to the same `target` decides nothing, and makes what was left behind follow. `epoch`: the deployment that
    is judged; raises Overtaken where it is no longer the newest.
    """
    if target is None and (canary := workspace.ledger.canaries.current()) is not None:
        target = canary.stable
    if target is not None and (done := workspace.ledger.deployments.rolled_back_to(target)) is not None:
        return ProductionChange(deployment=done, reconciled=workspace.reconcile(), already=True)
    verify = workspace.verify if epoch is None else _verified_at(workspace, epoch)
    deployment = workspace.ledger.deployments.rollback(target, actor=actor, reason=reason, verify=verify)
    return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())


def _verified_at(workspace: Workspace, epoch: int) -> Callable[[Release], object]:
    """Verifies a release while `epoch` is the newest deployment.

    A rollback reads the history, verifies its target, and is kept only if the history is still the same: so a check
    between the two holds until the end.
    """

    def verify(release: Release) -> object:
        newest = workspace.ledger.deployments.listed()[-1]
        if newest.epoch != epoch:
            raise Overtaken(
                f"{newest.actor} moved production to release {newest.release} meanwhile: nothing was rolled back."
            )
        return workspace.verify(release)

    return verify
