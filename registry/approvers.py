"""Who must approve a release, and whether they have: pure decisions. Knows no database and no key.

An objection is returned as a sentence without its full stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.actors import skeleton
from pipeline.types import Actor, Approval, Identity, Release
from registry import lifecycle


@dataclass(frozen=True, kw_only=True)
class ReviewRules:
    """What an approval must be to count, as a workspace's settings say.

    `approval_days`: how long figures and approvals hold. `approvers`: how many different people must approve, none of
    them the proposer. `signed_in`: only names count that MLflow's sign-in proved (the setting `review = "team"`).
    """

    approval_days: float = 7.0
    approvers: int = 1
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What approvals are weighed against: the release as it is, the newest deployment's epoch, and the time."""

    release: Release
    epoch: int
    at: datetime


def against_identity(by: Actor, rules: ReviewRules) -> str | None:
    """Why the decision of `by` does not count here, or None."""
    if not rules.signed_in or by.identity is Identity.SIGNED_IN:
        return None
    return (
        f'{by.name} is a name that nobody proved, and with review = "team" only people count who signed in to MLflow: '
        f"decide in MLflow's UI, or at a terminal, where `sealed` asks for the password of {by.name}"
    )


def against_standing(approval: Approval, now: Occasion, rules: ReviewRules) -> str | None:
    """Why an approval that was recorded earlier no longer counts, or None."""
    number = now.release.number
    if approval.manifest != now.release.manifest:
        return f"the approval by {approval.actor} is void: release {number} holds another adapter since"
    if approval.epoch != now.epoch:
        return (
            f"the approval by {approval.actor} is void: production moved (epoch {approval.epoch} to {now.epoch}) since"
        )
    return lifecycle.against_age(approval, now.at, rules.approval_days) or against_identity(approval.by, rules)


def standing(given: Sequence[Approval], now: Occasion, rules: ReviewRules) -> tuple[Approval, ...]:
    """The approvals of `now.release` that count: one for each person, and none by its proposer. Oldest first."""
    found: dict[str, Approval] = {}
    for approval in given:
        person = skeleton(approval.actor)
        counts = approval.approved and approval.release == now.release.number
        if counts and person != skeleton(now.release.proposer) and against_standing(approval, now, rules) is None:
            found.setdefault(person, approval)
    return tuple(found.values())


def missing(given: Sequence[Approval], now: Occasion, rules: ReviewRules) -> str:
    """What the approvals `given` still lack before the release becomes production, in a sentence; "" for nothing."""
    counted = standing(given, now, rules)
    if len(counted) >= rules.approvers:
        return ""
    number, void = now.release.number, []
    for approval in given:
        if approval.approved and approval.release == number:
            void.append(against_standing(approval, now, rules))
    return ". ".join([_lack(now.release, counted, rules), *filter(None, void)])


def against_repetition(approval: Approval, given: Sequence[Approval], now: Occasion, rules: ReviewRules) -> str | None:
    """Why `approval` adds nothing to those `given` before it, or None: the same person has approved already."""
    counted = standing(given, now, rules)
    same = next((one for one in counted if skeleton(one.actor) == skeleton(approval.actor)), None)
    if same is None or len(counted) >= rules.approvers:
        return None
    return f"{same.actor} approved release {approval.release} already: {missing(given, now, rules)}"


def _lack(release: Release, counted: Sequence[Approval], rules: ReviewRules) -> str:
    number, command = release.number, f"`sealed approve {release.number}`"
    if rules.approvers == 1:
        return f"release {number} needs an approval: somebody else than {release.proposer} must run {command}"
    names = ", ".join(approval.actor for approval in counted) or "nobody"
    needed = f"release {number} needs {rules.approvers} approvals by different people, and has those of {names}"
    return f"{needed}: another person must run {command}"
