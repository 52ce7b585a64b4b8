"""Decides about one request that would change the registry: pure, by who asks and by what the ledger says.

A reviewer may set their own tag on the version that waits. On-call may ask for a rollback. A trainer may write what
the ledger says anyway. Everything else is refused to everybody, administrators of MLflow included.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.actors import skeleton
from pipeline.types import Release, ReleaseState, ReviewDecision, ReviewKind
from registry import lifecycle
from registry.mlflow.app.following import follows_ledger
from registry.mlflow.app.requests import Action, RegistryRequest
from registry.mlflow.app.roles import Roles, review_tag
from registry.mlflow.app.view import LedgerView
from registry.projection import OUTCOME_TAG, PRODUCTION, REVIEW_PREFIX, candidate

APPROVED, REJECTED = "approved", "rejected:"
LONGEST_TEXT = 2_000

_ALIASES = (
    "aliases follow the ledger. Production moves when a reviewer approves the version that waits, or when on-call "
    f"sets the alias {PRODUCTION} to an earlier production version"
)
_TAGS = (
    "the only tag that a person sets is their own, `review.<name>`, on the version that waits, and it stays. The "
    "others say what the ledger says"
)
_DESCRIPTIONS = "descriptions are written by the run, from its report, and by the ledger"
_HISTORY = "the versions are the history of production, under one name. They stay"
_RUNS = "only a run registers a version, once its gates passed"
_INSTEAD = {
    Action.CREATE_MODEL: _RUNS,
    Action.RENAME_MODEL: _HISTORY,
    Action.DESCRIBE_MODEL: _DESCRIPTIONS,
    Action.DELETE_MODEL: _HISTORY,
    Action.TAG_MODEL: _TAGS,
    Action.UNTAG_MODEL: _TAGS,
    Action.SET_ALIAS: _ALIASES,
    Action.DELETE_ALIAS: _ALIASES,
    Action.CREATE_VERSION: _RUNS,
    Action.DESCRIBE_VERSION: _DESCRIPTIONS,
    Action.DELETE_VERSION: _HISTORY,
    Action.TAG_VERSION: _TAGS,
    Action.UNTAG_VERSION: _TAGS,
    Action.MOVE_STAGE: "stages are not used here. The tag `release.state` says the state of a release",
}


@dataclass(frozen=True)
class Allow:
    """MLflow may do it; nothing is recorded."""


@dataclass(frozen=True)
class Refuse:
    """MLflow must not do it. `sentence` tells the person why, and what to do instead."""

    sentence: str


@dataclass(frozen=True)
class Record:
    """MLflow may do it once the decision is in the ledger."""

    decision: ReviewDecision


Ruling = Allow | Refuse | Record


@dataclass(frozen=True)
class _Case:
    """What is asked, by whom, and what it is judged by."""

    request: RegistryRequest
    who: str
    roles: Roles
    ledger: LedgerView
    at: datetime


def decide(request: RegistryRequest, who: str, roles: Roles, ledger: LedgerView, at: datetime) -> Ruling:
    """What becomes of the `request` of the signed-in `who` at the time `at`."""
    case = _Case(request, who, roles, ledger, at)
    if request.action is Action.UNKNOWN:
        return Refuse(f"{who} may not {request.action}. Nothing was changed.")
    if request.model != ledger.model:
        return Refuse(f"{who} may not {request.action}: this server keeps the model {ledger.model!r} and no other.")
    if who in roles.trainers and follows_ledger(request, ledger):
        return Allow()
    if _is_review(request):
        return _review(case)
    if who in roles.on_call and request.action is Action.SET_ALIAS and request.alias == PRODUCTION:
        return _rollback(case)
    return Refuse(f"{who} may not {request.action}: {_INSTEAD[request.action]}.")


def _is_review(request: RegistryRequest) -> bool:
    tagged = request.action is Action.TAG_VERSION and request.key.startswith(REVIEW_PREFIX)
    return tagged and request.key != OUTCOME_TAG


def _review(case: _Case) -> Ruling:
    who, request = case.who, case.request
    if who not in case.roles.reviewers:
        return Refuse(f"{who} may not review: the configuration of this server names other reviewers.")
    if request.key != (own := review_tag(who)):
        return Refuse(f"{who} may not set the tag {request.key}: reviewers set only their own, {own}.")
    if (text := _text(request.value)) is None:
        return Refuse(
            f"the tag {own} cannot say {request.value[:80]!r}: write `approved`, or `rejected: ` and why, in at most "
            f"{LONGEST_TEXT:,} characters."
        )
    release = case.ledger.release_of(request.version)
    if release is None or release.state is not ReleaseState.CANDIDATE:
        return Refuse(_not_waiting(request.version, release, case.ledger))
    if text != APPROVED:
        return _recorded(case, ReviewKind.REJECT, release, text)
    if skeleton(who) == skeleton(release.proposer):
        return Refuse(
            f"{who} may not approve release {release.number}: {release.proposer} proposed it. Another reviewer must "
            "approve it, under their own sign-in."
        )
    return _recorded(case, ReviewKind.APPROVE, release, text)


def _text(value: str) -> str | None:
    """The words of a review as they are recorded: `approved`, or why not. None where they are neither."""
    text = value.strip()
    if text == APPROVED:
        return text
    why = text.removeprefix(REJECTED).strip()
    return why if text.startswith(REJECTED) and why not in ("", APPROVED) and len(why) <= LONGEST_TEXT else None


def _not_waiting(version: str, release: Release | None, ledger: LedgerView) -> str:
    is_ = f"is release {release.number}, {release.state.value.replace('_', ' ')}" if release else "is no release"
    waiting = candidate(ledger.releases)
    waits = f"Version {waiting.mlflow_version} waits" if waiting else "Nothing waits for review now"
    return f"version {version} {is_}, and does not wait for review. {waits}."


def _rollback(case: _Case) -> Ruling:
    version = case.request.version
    release = case.ledger.release_of(version)
    if release is None:
        return Refuse(f"version {version} is no release that the ledger knows: production stays as it is.")
    objection = lifecycle.rollback_target(case.ledger.releases, release.number)
    if isinstance(objection, str):
        return Refuse(f"{case.who} may not move production to version {version}: {objection}.")
    return _recorded(case, ReviewKind.ROLLBACK, release, f"moved the MLflow alias {PRODUCTION} to version {version}")


def _recorded(case: _Case, kind: ReviewKind, release: Release, text: str) -> Ruling:
    """The decision to record; nothing where the same one waits for adoption: a request that is repeated is one."""
    decision = ReviewDecision(
        who=case.who,
        kind=kind,
        version=case.request.version,
        release=release.number,
        manifest=release.manifest,
        epoch=case.ledger.newest.epoch,
        text=text,
        at=case.at,
    )
    waits = {replace(one, at=case.at, number=0) for one in case.ledger.unused}
    return Allow() if decision in waits else Record(decision)
