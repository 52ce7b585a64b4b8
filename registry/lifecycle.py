"""What may happen to a release, and what a promotion or a rollback means for all the others: pure decisions.

Knows no database. An objection is returned as a sentence without its full stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline.actors import against_name, skeleton
from pipeline.types import Approval, Deployment, Release, ReleaseState, ReviewDecision, Verdict


class Event(StrEnum):
    """What can happen to a release. The values stand in sentences: "a release that is ... cannot be ..."."""

    RECORDED = "recorded as a candidate"
    GIVEN_UP = "given up by its run"
    EXPIRED = "expired"
    OUTDATED = "made stale"
    APPROVED = "made production by an approval"
    REJECTED = "rejected"
    FOLLOWED = "followed by another release"
    ROLLED_BACK = "rolled back"
    RESTORED = "made production again by a rollback"


# What each event makes of a release, and of which states. Nothing happens to a rejected, rolled back, stale or void
# one: their documents return in a new release.
TRANSITIONS: dict[Event, tuple[frozenset[ReleaseState], ReleaseState]] = {
    Event.RECORDED: (frozenset({ReleaseState.REGISTERING}), ReleaseState.CANDIDATE),
    Event.GIVEN_UP: (frozenset({ReleaseState.REGISTERING}), ReleaseState.VOID),
    Event.EXPIRED: (frozenset({ReleaseState.CANDIDATE}), ReleaseState.VOID),
    Event.OUTDATED: (frozenset({ReleaseState.REGISTERING, ReleaseState.CANDIDATE}), ReleaseState.STALE),
    Event.APPROVED: (frozenset({ReleaseState.CANDIDATE}), ReleaseState.PRODUCTION),
    Event.REJECTED: (frozenset({ReleaseState.CANDIDATE}), ReleaseState.REJECTED),
    Event.FOLLOWED: (frozenset({ReleaseState.PRODUCTION}), ReleaseState.SUPERSEDED),
    Event.ROLLED_BACK: (frozenset({ReleaseState.PRODUCTION, ReleaseState.SUPERSEDED}), ReleaseState.ROLLED_BACK),
    Event.RESTORED: (frozenset({ReleaseState.SUPERSEDED}), ReleaseState.PRODUCTION),
}
_WAITING = (ReleaseState.CANDIDATE, ReleaseState.REGISTERING)


@dataclass(frozen=True, kw_only=True)
class Move:
    """What happens to one release, and why in words."""

    release: int
    event: Event
    reason: str

    @property
    def state(self) -> ReleaseState:
        """The state that it leads to."""
        return TRANSITIONS[self.event][1]


def against_event(number: int, state: ReleaseState, event: Event) -> str | None:
    """Why `event` cannot happen to release `number`, which is in `state`; None: it may."""
    before, _ = TRANSITIONS[event]
    if state in before:
        return None
    allowed = " or ".join(_words(one) for one in ReleaseState if one in before)
    return f"release {number} is {_words(state)}: only one that is {allowed} can be {event}"


def against_approval(
    release: Release, verdict: Verdict | None, production: Release, approval: Approval, epoch: int
) -> str | None:
    """Why `approval` cannot make `release` production while `production` is it at `epoch`; None: nothing is against it.

    Holds I1 (gates passed, approval over exactly this manifest), I8 (another person, not void) and I9 (the parent is
    production).
    """
    number = release.number
    if release.state is not ReleaseState.CANDIDATE:
        return _not_a_candidate(release)
    if release.parent != production.number:
        return (
            f"production moved from release {release.parent} to {production.number} since release {number} was gated: "
            "run the update again"
        )
    if verdict is not Verdict.PASS:
        return f"release {number} did not pass its gates ({verdict or 'no report'}): only a passing one is approved"
    if not approval.approved:
        return f"{approval.actor} did not approve release {number}, but rejected it"
    if approval.release != number or approval.manifest != release.manifest:
        return f"the approval is for another adapter than release {number} holds now: look at it and approve it again"
    if approval.epoch != epoch:
        return f"production moved (epoch {approval.epoch} to {epoch}) since the approval was given: approve again"
    if (objection := against_name(approval.actor)) is not None:
        return f"an approval needs the name of the person who gives it: {objection}"
    if skeleton(approval.actor) == skeleton(release.proposer):
        return (
            f"{release.proposer} proposed release {number}, and {approval.actor} is that name or is spelled like it: "
            "another person must approve it, under an account of their own or with `--as NAME`"
        )
    return None


def against_decision(release: Release, newest: Deployment, decision: ReviewDecision) -> str | None:
    """Why a decision that was taken in MLflow can no longer take effect at the `newest` deployment, or None.

    It was taken over one manifest and at one epoch, which are those that the person saw.
    """
    if decision.manifest != release.manifest:
        return (
            f"{decision.who} decided over another adapter than release {release.number} holds now: look at it and "
            "decide again"
        )
    if decision.epoch != newest.epoch:
        return (
            f"production moved (epoch {decision.epoch} to {newest.epoch}) since {decision.who} decided: look at it and "
            "decide again"
        )
    return None


def against_age(approval: Approval, at: datetime, approval_days: float) -> str | None:
    """Why an approval is too old to be used at `at`, or None."""
    if at - approval.at <= timedelta(days=approval_days):
        return None
    return (
        f"the approval of release {approval.release} by {approval.actor} expired after {approval_days:g} days: "
        "look at it and approve it again"
    )


def against_waiting(release: Release, at: datetime, approval_days: float) -> str | None:
    """Why the figures of `release` are too old for an approval given at `at`, or None.

    A release is made right after its gates: its age is theirs.
    """
    waited = at - release.created
    if waited <= timedelta(days=approval_days):
        return None
    return (
        f"the gates of release {release.number} were measured {waited / timedelta(days=1):.1f} days ago, and after "
        f"{approval_days:g} days nobody approves them any more: `sealed update` learns and gates its documents again"
    )


def expired(releases: Sequence[Release], at: datetime, approval_days: float) -> tuple[Move, ...]:
    """What becomes of the candidates that nobody reviewed in time: void, and their documents wait for a new run."""
    candidates = [release for release in releases if release.state is ReleaseState.CANDIDATE]
    objections = [(release.number, against_waiting(release, at, approval_days)) for release in candidates]
    return tuple(Move(release=number, event=Event.EXPIRED, reason=why) for number, why in objections if why)


def against_rejection(release: Release, actor: str, reason: str) -> str | None:
    """Why `release` cannot be rejected so, or None."""
    if not reason.strip():
        return f"rejecting release {release.number} needs a reason: the next run reads it"
    if (objection := against_name(actor)) is not None:
        return f"a rejection needs the name of the person who gives it: {objection}"
    return None if release.state is ReleaseState.CANDIDATE else _not_a_candidate(release)


def latest_rollback(history: Sequence[Deployment]) -> Deployment | None:
    """The newest deployment, where a rollback made it: a release that was production before returns in no other way."""
    *before, newest = history
    return newest if any(deployment.release == newest.release for deployment in before) else None


def rollback_target(
    releases: Sequence[Release], target: int | None, rolled_back: Deployment | None = None
) -> int | str:
    """The release that production falls back to, or an objection in words.

    `target`: None stands for the one before the current one. `rolled_back`: what `latest_rollback`
    found. Straight after a rollback, a second one must name its target: a command that is given twice does not fall
    twice. Superseded releases are exactly the current one's ancestors, so each of them has been production and none
    has been rolled back; the way to any other release is a new approval (I5).
    """
    production = next(release for release in releases if release.state is ReleaseState.PRODUCTION)
    if target is None:
        if production.parent is None:
            return "production is the base model: there is nothing to roll back"
        return production.parent if rolled_back is None else _rolled_back_already(rolled_back, production.parent)
    release = next((release for release in releases if release.number == target), None)
    if release is None:
        return f"there is no release {target}: see `sealed releases`"
    if release.state is ReleaseState.PRODUCTION:
        return f"release {target} is production already"
    if release.state is not ReleaseState.SUPERSEDED:
        return (
            f"release {target} is {_words(release.state)}: a rollback only goes to a release that was production "
            "before the current one; another one needs an approval"
        )
    return target


def promotion(releases: Sequence[Release], number: int) -> tuple[Move, ...]:
    """The moves that make the candidate `number` production: demotions first, the new production last.

    What else waits was gated against a release that is production no longer: stale, and gated again in a new run.
    """
    production = next(release for release in releases if release.state is ReleaseState.PRODUCTION)
    why = f"production moved from release {production.number} to {number} since it was gated: run the update again"
    demoted = Move(release=production.number, event=Event.FOLLOWED, reason=f"release {number} followed")
    promoted = Move(release=number, event=Event.APPROVED, reason="")
    return (demoted, *_outdated(releases, number, why), promoted)


def rollback(releases: Sequence[Release], target: int, actor: str, reason: str) -> tuple[Move, ...]:
    """The moves that make the ancestor `target` production again: it comes last."""
    by_number = {release.number: release for release in releases}
    current = next(release for release in releases if release.state is ReleaseState.PRODUCTION)
    why = f"production was rolled back from release {current.number} to {target} since it was gated"
    fallen: list[Move] = []
    step = current
    while step.number != target and step.parent is not None:
        why_fallen = f"rolled back by {actor}: {reason}"
        fallen.append(Move(release=step.number, event=Event.ROLLED_BACK, reason=why_fallen))
        step = by_number[step.parent]
    restored = Move(release=target, event=Event.RESTORED, reason="")
    return (*fallen, *_outdated(releases, target, f"{why}: run the update again"), restored)


def _outdated(releases: Sequence[Release], production: int, why: str) -> tuple[Move, ...]:
    return tuple(
        Move(release=release.number, event=Event.OUTDATED, reason=why)
        for release in releases
        if release.state in _WAITING and release.number != production
    )


def _rolled_back_already(done: Deployment, further: int) -> str:
    return (
        f"{done.actor} rolled production back to release {done.release} already, and nothing was released since "
        f"({done.at:%Y-%m-%d %H:%M} UTC: {done.reason}): nothing was done. "
        f"`sealed rollback --to {further}` goes further"
    )


def _not_a_candidate(release: Release) -> str:
    because = f" ({release.reason})" if release.reason else ""
    return f"release {release.number} is {_words(release.state)}, not a candidate{because}"


def _words(state: ReleaseState) -> str:
    return state.value.replace("_", " ")
