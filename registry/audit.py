"""Whether the ledger's tables tell one story: states, deployments, approvals and history against each other. Pure.

It finds what a chain of digests cannot: rows that were cut off at the end, and tables that are no chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.types import Approval, Deployment, GateReport, Release, ReleaseState, Transition
from registry.lifecycle import TRANSITIONS

_STEPS = frozenset((before, after) for states, after in TRANSITIONS.values() for before in states)


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that the ledger says of releases. Each sequence is in the order in which it was written."""

    releases: Sequence[Release]
    deployments: Sequence[Deployment]
    approvals: Sequence[Approval]
    history: Sequence[Transition]


def against_record(record: Record) -> str | None:
    """The first contradiction, as a sentence without its full stop; None: there is none."""
    return _against_states(record) or _against_deployments(record) or _against_promotions(record)


def against_report(release: Release, report: GateReport) -> str | None:
    """Why `report` is not what the gates said of this very release, or None."""
    if (report.update, report.candidate.adapter) == (release.update, release.model.adapter):
        return None
    return f"the report of release {release.number} is on another adapter than the release holds now"


def _against_states(record: Record) -> str | None:
    ends: dict[int, ReleaseState] = {}
    made = {release.number: release for release in record.releases}
    for step in record.history:
        if step.before != (end := ends.get(step.release)):
            return f"the history of release {step.release} goes on from {step.before} after it ended in {end}"
        if step.before is None and (objection := _against_first(step, made.get(step.release))) is not None:
            return objection
        if step.before is not None and (step.before, step.after) not in _STEPS:
            return f"release {step.release} went from {step.before} to {step.after}, and nothing leads there"
        ends[step.release] = step.after
    for release in record.releases:
        if (end := ends.get(release.number)) != release.state:
            return f"release {release.number} is {release.state}, and its history ends in {end}"
    return None


def _against_first(step: Transition, release: Release | None) -> str | None:
    """Only the base begins as production. Proposer and date decide who may approve a release, and how long."""
    if step.after is not (ReleaseState.REGISTERING if step.release else ReleaseState.PRODUCTION):
        return f"the history of release {step.release} begins with {step.after}"
    if release is not None and (step.actor, step.at) != (release.proposer, release.created):
        return f"release {step.release} is said to be of {release.proposer}, and its history of {step.actor}"
    return None


def _against_deployments(record: Record) -> str | None:
    made = [step for step in record.history if step.after is ReleaseState.PRODUCTION]
    if len(made) != len(record.deployments):
        return f"there are {len(record.deployments)} deployments, and the history of releases has {len(made)}"
    for step, deployment in zip(made, record.deployments, strict=True):
        if (step.epoch, step.release, step.by, step.at) != (
            deployment.epoch,
            deployment.release,
            deployment.by,
            deployment.at,
        ):
            return f"deployment {deployment.epoch} of release {deployment.release} is not that of the history"
    return None


def _against_promotions(record: Record) -> str | None:
    manifests = {release.number: release.manifest for release in record.releases}
    given = {(one.release, one.epoch, one.manifest) for one in record.approvals if one.approved}
    for step in record.history:
        promoted = step.before is ReleaseState.CANDIDATE and step.after is ReleaseState.PRODUCTION
        if promoted and (step.release, step.epoch - 1, manifests.get(step.release)) not in given:
            return f"release {step.release} became production at epoch {step.epoch} without an approval of its adapter"
    return None
