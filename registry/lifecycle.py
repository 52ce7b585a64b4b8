"""What may happen to a release, and what a promotion or a rollback means for all the others: pure decisions.

Knows no database. An objection is returned as a sentence without its full stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.actors import against_name, skeleton
from pipeline.types import Approval, Deployment, Release, ReleaseState, ReviewDecision, Verdict

# Each state and those that may follow it. The last three are final: their documents return in a new release.
FOLLOWERS: dict[ReleaseState, frozenset[ReleaseState]] = {
    ReleaseState.REGISTERING: frozenset({ReleaseState.CANDIDATE, ReleaseState.VOID}),
    ReleaseState.CANDIDATE: frozenset({ReleaseState.PRODUCTION, ReleaseState.REJECTED, ReleaseState.VOID}),
    ReleaseState.PRODUCTION: frozenset({ReleaseState.SUPERSEDED, ReleaseState.ROLLED_BACK}),
    ReleaseState.SUPERSEDED: frozenset({ReleaseState.PRODUCTION, ReleaseState.ROLLED_BACK}),
    ReleaseState.REJECTED: frozenset(),
    ReleaseState.ROLLED_BACK: frozenset(),
    ReleaseState.VOID: frozenset(),
}
_WAITING = (ReleaseState.CANDIDATE, ReleaseState.REGISTERING)


@dataclass(frozen=True, kw_only=True)
class Move:
    """One release's step to another state, and why in words."""

    release: int
    state: ReleaseState
    reason: str


def may_follow(state: ReleaseState, after: ReleaseState) -> bool:
    """Whether a release in `state` may become `after`."""
    return after in FOLLOWERS[state]


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
    return tuple(Move(release=number, state=ReleaseState.VOID, reason=why) for number, why in objections if why)


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
    """The release that production falls back to, or an objection in words. None: the one before the current one.

    `rolled_back`: what `latest_rollback` found. Straight after a rollback, a second one must name its target: a
    command that is given twice does not fall twice. Superseded releases are exactly the current one's ancestors, so
    each of them has been production and none has been rolled back; the way to any other release is a new approval (I5).
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
    """The moves that make the candidate `number` production: demotions first, the new production last."""
    production = next(release for release in releases if release.state is ReleaseState.PRODUCTION)
    why = f"production moved from release {production.number} to {number} since it was gated: run the update again"
    demoted = Move(release=production.number, state=ReleaseState.SUPERSEDED, reason=f"release {number} followed")
    promoted = Move(release=number, state=ReleaseState.PRODUCTION, reason="")
    return (demoted, *_voided(releases, number, why), promoted)


def rollback(releases: Sequence[Release], target: int, actor: str, reason: str) -> tuple[Move, ...]:
    """The moves that make the ancestor `target` production again: it comes last."""
    by_number = {release.number: release for release in releases}
    current = next(release for release in releases if release.state is ReleaseState.PRODUCTION)
    why = f"production was rolled back from release {current.number} to {target} since it was gated"
    fallen: list[Move] = []
    step = current
    while step.number != target and step.parent is not None:
        words = f"rolled back by {actor}: {reason}"
        fallen.append(Move(release=step.number, state=ReleaseState.ROLLED_BACK, reason=words))
        step = by_number[step.parent]
    restored = Move(release=target, state=ReleaseState.PRODUCTION, reason="")
    return (*fallen, *_voided(releases, target, f"{why}: run the update again"), restored)


def _voided(releases: Sequence[Release], production: int, why: str) -> tuple[Move, ...]:
    return tuple(
        Move(release=release.number, state=ReleaseState.VOID, reason=why)
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
