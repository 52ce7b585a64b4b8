"""What a reviewer and on-call do: approve, reject, roll back. Needs the ledger and the local adapters, nothing else.

What they do in MLflow's user interface is in the ledger as decisions. `adopt` makes them take effect.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.wiring import Workspace
from pipeline.errors import CorruptAdapter, NoSuchRelease, PolicyError, WrongBase
from pipeline.types import Approval, Deployment, ReviewDecision, ReviewKind, ReviewOutcome
from registry import Reconciled, lifecycle


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


@dataclass(frozen=True, kw_only=True)
class ReconciledWorkspace:
    """What became of the decisions that waited, and what was made to match the ledger after them."""

    outcomes: tuple[ReviewOutcome, ...]
    reconciled: Reconciled

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it in words, what failed last; empty where nothing was to do."""
        decided = (f"{'adopted' if one.adopted else 'refused'}: {one.sentence}" for one in self.outcomes)
        failed = (f"failed, and tried again next time: {sentence}" for sentence in self.reconciled.failed)
        return (*decided, *self.reconciled.repaired, *failed)


def reconcile(workspace: Workspace) -> ReconciledWorkspace:
    """Adopts what people decided in MLflow, then makes MLflow match the ledger. Idempotent. Raises DatabaseFailed."""
    return ReconciledWorkspace(outcomes=adopt(workspace), reconciled=workspace.reconcile())


def adopt(workspace: Workspace) -> tuple[ReviewOutcome, ...]:
    """Makes each decision that nobody used yet take effect, in order, or records the rule that is against it.

    A decision is used once. One that another process uses at the same time, or used and was killed, has the outcome
    that it had in effect. Raises DatabaseFailed; the decisions that are left are adopted next time.
    """
    outcomes = (_conclude(workspace, decision) for decision in workspace.ledger.review_decisions.unused())
    return tuple(outcome for outcome in outcomes if workspace.ledger.review_decisions.conclude(outcome))


def _conclude(workspace: Workspace, decision: ReviewDecision) -> ReviewOutcome:
    adopted, sentence = True, f"{_EFFECTS[decision.kind].format(decision.release)}."
    try:
        _apply(workspace, decision)
    except (PolicyError, NoSuchRelease, CorruptAdapter, WrongBase) as error:
        if not _took_effect(workspace, decision):
            adopted, sentence = False, str(error)
    return ReviewOutcome(decision=decision.number, adopted=adopted, sentence=sentence, at=datetime.now(UTC))


_EFFECTS = {
    ReviewKind.APPROVE: "release {} is approved",
    ReviewKind.REJECT: "release {} is rejected",
    ReviewKind.ROLLBACK: "release {} is production again",
}


def _apply(workspace: Workspace, decision: ReviewDecision) -> None:
    """Raises PolicyError, NoSuchRelease, CorruptAdapter or WrongBase where it must not take effect."""
    deployments, days = workspace.ledger.deployments, workspace.settings.approval_days
    release = workspace.ledger.releases.get(decision.release)
    if objection := lifecycle.against_decision(release, deployments.listed()[-1], decision):
        raise PolicyError(f"{objection}.")
    actor, note, number = decision.who, decision.text, decision.release
    if decision.kind is ReviewKind.REJECT:
        deployments.reject(number, actor=actor, reason=note, at=decision.at)
    elif decision.kind is ReviewKind.ROLLBACK:
        deployments.rollback(number, actor=actor, reason=note, verify=workspace.verify, at=decision.at)
    else:
        approval = deployments.approve(number, actor=actor, note=note, approval_days=days, at=decision.at)
        deployments.promote(approval, approval_days=days, verify=workspace.verify)


def _took_effect(workspace: Workspace, decision: ReviewDecision) -> bool:
    """Whether the ledger holds what this very decision did: by who decided, and when."""
    mine = (decision.who, decision.at)
    if decision.kind is ReviewKind.ROLLBACK:
        return any((one.actor, one.at) == mine for one in workspace.ledger.deployments.listed())
    return any((one.actor, one.at) == mine for one in workspace.ledger.releases.approvals(decision.release))
