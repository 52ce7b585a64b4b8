"""Makes MLflow match the ledger, and says what was repaired and what could not be. Decides nothing."""

from pipeline.errors import TrackingFailed
from pipeline.types import Deployment, Release, ReleaseState
from registry.ledger import Ledger
from registry.mlflow import client
from registry.projection import OUTCOME_TAG, STATE_TAG, Concluded, model_description
from registry.tracking import (
    MlflowState,
    Reconciled,
    Tracking,
    alias_moves,
    lost_versions,
    missing_versions,
    stale_outcomes,
    stale_states,
)

# How often a pass is repeated because production moved during it.
_PASSES = 5


def reconcile(ledger: Ledger, tracking: Tracking) -> Reconciled:
    """Sets MLflow's aliases and tags to what the ledger says. Idempotent.

    An alias that a person moved is put back and reported, and a version that a killed registration left is recorded.
    An MLflow that fails is reported, not raised. Repeats the pass if production changed during it.
    """
    repaired: list[str] = []
    for _ in range(_PASSES):
        deployment = ledger.deployments.listed()[-1]
        once = _pass(ledger, tracking, deployment)
        repaired += once.repaired
        if ledger.deployments.listed()[-1].epoch == deployment.epoch:
            return Reconciled(repaired=tuple(repaired), failed=once.failed)
    moving = "production moved while MLflow followed it: run `sealed doctor` once it stands"
    return Reconciled(repaired=tuple(repaired), failed=(*once.failed, moving))


def _pass(ledger: Ledger, tracking: Tracking, deployment: Deployment) -> Reconciled:
    """One pass at the epoch of `deployment`. MLflow is not contacted while it can hold nothing of ours."""
    known = ledger.releases.listed()
    lost = lost_versions(ledger.releases.needed())
    if not lost and not any(release.mlflow_version or _may_be_left(release) for release in known):
        return Reconciled()
    try:
        return Reconciled(repaired=tuple(_match(ledger, tracking, deployment, known)))
    except TrackingFailed as error:
        return Reconciled(failed=(str(error),))


def _may_be_left(release: Release) -> bool:
    """Whether MLflow may hold a version of this release that the ledger does not know of."""
    return release.state in (ReleaseState.VOID, ReleaseState.STALE) and release.mlflow_version is None


def _match(ledger: Ledger, tracking: Tracking, deployment: Deployment, known: tuple[Release, ...]) -> list[str]:
    state = client.read(tracking)
    found = [(one.number, state.versions_of(one)) for one in known if _may_be_left(one)]
    left = {number: ledger.releases.record_leftover(number, versions[0]) for number, versions in found if versions}
    known = tuple(left.get(one.number, one) for one in known)
    repaired = [
        f"version {one.mlflow_version} was left in MLflow by release {n}, {one.state} since" for n, one in left.items()
    ]
    concluded = ledger.review_decisions.concluded()
    for move in alias_moves(state, deployment, known, concluded):
        client.point(tracking, move.alias, move.after)
        repaired.append(move.sentence)
    _annotate(tracking, state, deployment, known, concluded)
    if missing := (*missing_versions(state, known), *lost_versions(ledger.releases.needed())):
        lost = ", ".join(f"{one.mlflow_version or 'none'} (release {one.number})" for one in missing)
        raise TrackingFailed(
            f"MLflow no longer holds version {lost}: `sealed doctor --fix` registers it again from the local adapter, "
            "or records that it is gone."
        )
    return repaired


def _annotate(
    tracking: Tracking, state: MlflowState, deployment: Deployment, known: tuple[Release, ...], concluded: Concluded
) -> None:
    """The texts that people read: each version's state and outcome, and what the model's page says."""
    if not state.versions:
        return
    client.tag_versions(tracking, STATE_TAG, stale_states(state, known))
    client.tag_versions(tracking, OUTCOME_TAG, stale_outcomes(state, concluded))
    said = model_description(known, deployment, tracking.model_name)
    if state.description != said:
        client.describe(tracking, said)
    if state.epoch != deployment.epoch:
        client.tag_epoch(tracking, deployment.epoch)
