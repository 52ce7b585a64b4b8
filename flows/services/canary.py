"""One look at the canary: reads what was graded since the last one, decides, and makes the decision true.

Needs the ledger and the local adapters, as every rollback does. A kill between a decision and its rollback is made good
by the next look.
"""

from dataclasses import dataclass, replace

from flows.services import review
from flows.services.pairs import put_to_both
from flows.services.review import Password, ProductionChange
from flows.wiring import Workspace
from gates.canary import is_lone_alarm, judge, promoted_by_hand
from pipeline.actors import against_name
from pipeline.errors import Overtaken, PolicyError
from pipeline.types import Actor, CanaryAction
from registry import Canary, approvers

ACTOR = "sealed watch"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What one look found and did. `canary`: as it stands now; None: all requests go to production.

    `taken`: how many new outcomes were judged. `alone`: one API key's grades have come to say that it is worse, and
    nothing else does: a person is to look. `rollback`: what a rollback changed. `overtaken`: why the decision was
    not made, where somebody else moved production meanwhile.
    """

    canary: Canary | None
    taken: int = 0
    alone: bool = False
    rollback: ProductionChange | None = None
    overtaken: str = ""

    @property
    def changed(self) -> bool:
        """Whether this look gave the canary another share, or rolled it back."""
        promoted = bool(self.taken) and self.canary is not None and self.canary.action is CanaryAction.PROMOTE
        return promoted or self.rollback is not None

    @property
    def sentence(self) -> str:
        """What was found, for a person."""
        if self.overtaken:
            return self.overtaken
        if self.canary is None:
            return "no canary: all requests go to production."
        done = f". Release {self.canary.stable} is production again." if self.rollback else ""
        return f"release {self.canary.release}, before it {self.canary.stable}: {self.canary.sentence}{done}"


def look(workspace: Workspace, items: int = 0) -> Watched:
    """Judges what is new; if nothing changed by it, again after up to `items` eval items were put to both releases.

    A release that has all requests since before there were canaries keeps them: only an approval begins a canary. The
    canary has its policy with it, so that a mistake in the recipe stops no rollback. Raises CorruptAdapter, WrongBase
    or PolicyError where a rollback is due and not possible.
    """
    canary = workspace.ledger.canaries.current()
    if canary is None:
        return Watched(canary=None)
    seen = _judged(workspace, canary)
    if seen.changed or seen.overtaken or seen.canary is None or not put_to_both(workspace, seen.canary, items):
        return seen
    again = _judged(workspace, seen.canary)
    return replace(again, taken=seen.taken + again.taken, alone=seen.alone or again.alone)


def _judged(workspace: Workspace, canary: Canary) -> Watched:
    try:
        decided, taken = _decided(workspace, canary)
        rollback = _roll_back(workspace, decided) if decided.action is CanaryAction.ROLL_BACK else None
    except Overtaken as error:
        return Watched(canary=workspace.ledger.canaries.current(), overtaken=str(error))
    alone = is_lone_alarm(decided.state, decided.policy) and not is_lone_alarm(canary.state, canary.policy)
    return Watched(canary=decided, taken=taken, alone=alone, rollback=rollback)


def promote(workspace: Workspace, *, actor: str, reason: str, password: Password | None = None) -> Canary:
    """Gives the canary the next share at once, because a person says so: in a team one who signs in, as to approve.

    Raises PolicyError, Overtaken, TrackingFailed.
    """
    if not reason.strip() or against_name(actor) is not None:
        raise PolicyError(f"this needs a name and a reason: {against_name(actor) or 'the history keeps both'}.")
    canary = workspace.ledger.canaries.current()
    if canary is None or canary.action is CanaryAction.ROLL_BACK:
        raise PolicyError("there is no canary that could get more of the requests. See `sealed status`.")
    promoted = promoted_by_hand(canary.state, canary.policy, actor, reason)
    if promoted is None:
        raise PolicyError(f"release {canary.release} has all requests already.")
    by = review.identify(workspace, actor, password)
    if (objection := approvers.against_identity(by, workspace.review_rules)) is not None:
        raise PolicyError(f"{objection}.")
    state, decision = promoted
    return workspace.ledger.canaries.decide(canary, decision, state=state, seen=canary.seen, by=by)


def _decided(workspace: Workspace, canary: Canary) -> tuple[Canary, int]:
    """The canary after its new outcomes, and how many were judged."""
    new = workspace.ledger.canaries.new_outcomes(canary)
    if canary.action is CanaryAction.ROLL_BACK or not new.outcomes:
        return canary, 0
    state, decision, taken = judge(canary.state, new.outcomes, canary.policy)
    seen = new.ids[taken - 1]
    return workspace.ledger.canaries.decide(canary, decision, state=state, seen=seen, by=Actor(name=ACTOR)), taken


def _roll_back(workspace: Workspace, canary: Canary) -> ProductionChange:
    return review.rollback(workspace, canary.stable, actor=ACTOR, reason=canary.sentence, epoch=canary.epoch)
