"""Makes what people decided in MLflow's user interface take effect. Their decisions are in the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.services import review
from flows.wiring import Workspace
from pipeline.errors import BadRecipe, BadSignature, CorruptAdapter, NoSuchRelease, PolicyError, WrongBase
from pipeline.types import Actor, Identity, ReviewDecision, ReviewKind, ReviewOutcome
from registry import Reconciled, WaitingDecision, lifecycle


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """What became of the decisions that waited, and why others still wait, in sentences."""

    outcomes: tuple[ReviewOutcome, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReconciledWorkspace:
    """What became of the decisions that waited, and what was made to match the ledger after them.

    `waiting`: why decisions still wait, in sentences.
    """

    outcomes: tuple[ReviewOutcome, ...]
    reconciled: Reconciled
    waiting: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """What is tried again next time, in sentences."""
        return (*self.waiting, *self.reconciled.failed)

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it in words, what failed last; empty where nothing was to do."""
        decided = (f"{'adopted' if one.adopted else 'refused'}: {one.sentence}" for one in self.outcomes)
        failed = (f"failed, and tried again next time: {sentence}" for sentence in self.failed)
        return (*decided, *self.reconciled.repaired, *failed)


def reconcile(workspace: Workspace) -> ReconciledWorkspace:
    """Adopts what people decided in MLflow, then makes MLflow match the ledger. Idempotent. Raises DatabaseFailed."""
    adopted = adopt(workspace)
    return ReconciledWorkspace(outcomes=adopted.outcomes, waiting=adopted.waiting, reconciled=workspace.reconcile())


def adopt(workspace: Workspace) -> Adopted:
    """Makes each decision that nobody used yet take effect, in order, or records the rule that is against it.

    A decision is used once. One that another process uses at the same time, or used and was killed, has the outcome
    that it had in effect. One that cannot be judged now, as an approval beside a recipe that cannot be read, waits and
    holds up no other. One that MLflow's server did not sign, exactly so, never takes effect: whoever can write to the
    database could have put it there. Who holds no signing key, as a team's runs, leaves all to whoever does. Raises
    DatabaseFailed, LedgerTampered; the decisions that are left are adopted next time.
    """
    keys = workspace.review_context.keys
    if keys.own is None:
        return Adopted()
    outcomes, waiting = list[ReviewOutcome](), list[str]()
    for found in workspace.ledger.review_decisions.waiting(keys):
        decision = found.decision
        try:
            outcome = _refused(found) if found.forged else _conclude(workspace, decision)
        except BadRecipe as error:
            waiting.append(f"what {decision.who} decided about release {decision.release} waits: {error}")
            continue
        if workspace.ledger.review_decisions.conclude(outcome):
            outcomes.append(outcome)
    return Adopted(outcomes=tuple(outcomes), waiting=tuple(waiting))


def _refused(found: WaitingDecision) -> ReviewOutcome:
    """What becomes of a row that MLflow's server did not write: it proves nothing of the person whom it names."""
    sentence = (
        f"nobody proved that {found.decision.who} decided so: the row {found.forged}. It takes no effect. Find out who "
        "can write to the ledger's database; `sealed doctor` names the row."
    )
    return ReviewOutcome(decision=found.decision.number, adopted=False, sentence=sentence, at=datetime.now(UTC))


def _conclude(workspace: Workspace, decision: ReviewDecision) -> ReviewOutcome:
    adopted, sentence = True, f"{_EFFECTS[decision.kind].format(decision.release)}."
    try:
        sentence = _apply(workspace, decision) or sentence
    except (PolicyError, NoSuchRelease, CorruptAdapter, WrongBase, BadSignature) as error:
        if not _took_effect(workspace, decision):
            adopted, sentence = False, str(error)
    return ReviewOutcome(decision=decision.number, adopted=adopted, sentence=sentence, at=datetime.now(UTC))


_EFFECTS = {
    ReviewKind.APPROVE: "release {} is approved",
    ReviewKind.REJECT: "release {} is rejected",
    ReviewKind.ROLLBACK: "release {} is production again",
}


def _apply(workspace: Workspace, decision: ReviewDecision) -> str:
    """What is still missing, or "". Raises what `adopt` records as refused where it must not take effect."""
    deployments, context = workspace.ledger.deployments, workspace.review_context
    release = workspace.ledger.releases.get(decision.release)
    if objection := lifecycle.against_decision(release, deployments.listed()[-1], decision):
        raise PolicyError(f"{objection}.")
    by, at = Actor(name=decision.who, identity=Identity.SIGNED_IN), decision.at
    if decision.kind is ReviewKind.REJECT:
        deployments.reject(decision.release, actor=by, reason=decision.text, context=context, at=at)
        return ""
    if decision.kind is ReviewKind.ROLLBACK:
        deployments.rollback(decision.release, actor=by, reason=decision.text, context=context, at=at)
        return ""
    approval = deployments.approve(decision.release, actor=by, note=decision.text, rules=context.rules, at=at)
    return review.promote_by(workspace, approval).missing


def _took_effect(workspace: Workspace, decision: ReviewDecision) -> bool:
    """Whether the ledger holds what this very decision did: by who decided, and when."""
    mine = (decision.who, decision.at)
    if decision.kind is ReviewKind.ROLLBACK:
        return any((one.actor, one.at) == mine for one in workspace.ledger.deployments.listed())
    return any((one.actor, one.at) == mine for one in workspace.ledger.releases.approvals(decision.release))
