"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else.

Only a team's approvals and rejections need MLflow too: it proves who gives them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from flows.wiring import Workspace
from pipeline.actors import running_account
from pipeline.errors import Overtaken, PolicyError
from pipeline.types import Actor, AdapterManifest, Approval, Deployment, Release
from registry import KEPT, Reconciled
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
    epoch. Its canary begins, if the recipe has canaries. Raises PolicyError, in words, where it is void by now,
    BadRecipe, and LedgerTampered.
    """
    deployments, policy = workspace.ledger.deployments, workspace.recipe.policy.canary
    context = replace(workspace.review_context, canary=policy if policy.enabled else None)
    _expect_stable_stays(workspace)
    workspace.high_water.expect_reached()
    deployment = deployments.promote(approval, context=context)
    workspace.high_water.note()
    if deployment is None:
        missing = deployments.still_missing(approval.release, rules=context.rules)
        return ProductionChange(deployment=deployments.listed()[-1], reconciled=workspace.reconcile(), missing=missing)
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


def rollback(
    workspace: Workspace, target: int | None, *, actor: str, reason: str, epoch: int | None = None
) -> ProductionChange:
    """Puts an earlier release back, also with MLflow down: nobody signs in for it, and the record says so.

    Without a `target`, that is the release that the canary is compared with, or else the production before this one.
    Once more to the same `target` decides nothing, and makes what was left behind follow. `epoch`: the deployment that
    is judged; raises Overtaken where it is no longer the newest. Raises PolicyError, NoSuchRelease, CorruptAdapter,
    BadSignature, LedgerTampered as well.
    """
    deployments = workspace.ledger.deployments
    context = replace(workspace.review_context, verify=workspace.verify_files)
    if target is None and (canary := workspace.ledger.canaries.current()) is not None:
        target = canary.stable
    if target is not None and (done := deployments.rolled_back_to(target)) is not None:
        return ProductionChange(deployment=done, reconciled=workspace.reconcile(), already=True)
    if epoch is not None:
        context = replace(context, verify=_verified_at(workspace, epoch))
    by = Actor(name=actor, account=running_account())
    deployment = deployments.rollback(target, actor=by, reason=reason, context=context)
    return ProductionChange(deployment=deployment, reconciled=workspace.reconcile())


def _verified_at(workspace: Workspace, epoch: int) -> Callable[[Release], AdapterManifest | None]:
    """Verifies a release while `epoch` is the newest deployment.

    A rollback reads the history, verifies its target, and is kept only if the history is still the same: so a check
    between the two holds until the end.
    """

    def verify(release: Release) -> AdapterManifest | None:
        newest = workspace.ledger.deployments.listed()[-1]
        if newest.epoch != epoch:
            raise Overtaken(
                f"{newest.actor} moved production to release {newest.release} meanwhile: nothing was rolled back."
            )
        return workspace.verify_files(release)

    return verify
