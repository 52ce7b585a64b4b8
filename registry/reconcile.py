"""Makes MLflow match the ledger, and says what was repaired and what could not be. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import TrackingFailed
from pipeline.types import Deployment, Release, ReleaseState
from registry import mlflow_aliases as shown_by_mlflow
from registry.mlflow_aliases import Shown
from registry.mlflow_client import Tracking
from registry.store import Store, candidates, releases

# A pass that production overtook is repeated; who moves it that often makes MLflow follow himself.
_PASSES = 5


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was made to follow, and what failed and follows next time: sentences. `live`: every server followed."""

    repaired: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def reconcile(store: Store, tracking: Tracking) -> Reconciled:
    """Points MLflow's aliases and tags at what the ledger says. Idempotent.

    An alias that a person moved is put back and reported, and a version that a run left behind when it was given up
    is recorded. An MLflow that fails is reported, not raised. Where production moved meanwhile, what was
    shown may be stale, and is shown again.
    """
    repaired: list[str] = []
    for _ in range(_PASSES):
        epoch, once = _pass(store, tracking)
        repaired += once.repaired
        if releases.deployments(store)[-1].epoch == epoch:
            return Reconciled(repaired=tuple(repaired), failed=once.failed)
    moving = "production moved while MLflow followed it: run `sealed doctor` once it stands"
    return Reconciled(repaired=tuple(repaired), failed=(*once.failed, moving))


def _pass(store: Store, tracking: Tracking) -> tuple[int, Reconciled]:
    """Makes MLflow follow the ledger as it stands at the returned epoch."""
    history, known = releases.deployments(store), releases.listed(store)
    deployment = history[-1]
    if not any(release.mlflow_version or _may_be_left(release) for release in known):
        return deployment.epoch, Reconciled()
    try:
        repaired = _show(store, tracking, deployment, known)
    except TrackingFailed as error:
        return deployment.epoch, Reconciled(failed=(str(error),))
    return deployment.epoch, Reconciled(repaired=tuple(repaired))


def _may_be_left(release: Release) -> bool:
    """Whether MLflow may hold a version of this release that the ledger does not know of."""
    return release.state is ReleaseState.VOID and release.mlflow_version is None


def _show(store: Store, tracking: Tracking, deployment: Deployment, known: Sequence[Release]) -> list[str]:
    shown = shown_by_mlflow.read(tracking)
    left = {one.number: one for one in _record_leftovers(store, shown, known)}
    known = [left.get(one.number, one) for one in known]
    repaired = [
        f"version {one.mlflow_version} was left in MLflow by release {n}, void since" for n, one in left.items()
    ]
    repaired += _show_aliases(tracking, shown, deployment, known)
    present = {one.version: one.state for one in shown.versions}
    behind = [
        (release.mlflow_version, release.state.value)
        for release in known
        if release.mlflow_version in present and present[release.mlflow_version] != release.state
    ]
    shown_by_mlflow.tag_states(tracking, [(version, state) for version, state in behind if version])
    if shown.versions and shown.epoch != deployment.epoch:
        shown_by_mlflow.tag_epoch(tracking, deployment.epoch)
    missing = [one for one in known if one.mlflow_version and one.mlflow_version not in present]
    if missing:
        gone = ", ".join(f"{one.mlflow_version} (release {one.number})" for one in missing)
        raise TrackingFailed(f"MLflow no longer holds version {gone}: the ledger and the local adapters still do.")
    return repaired


def _record_leftovers(store: Store, shown: Shown, known: Sequence[Release]) -> list[Release]:
    """Records what runs left in MLflow that were given up while registering; the releases as they then stand."""
    left = [(one.number, shown.versions_of(one)) for one in known if _may_be_left(one)]
    return [candidates.record_leftover(store, number, versions[0]) for number, versions in left if versions]


def _show_aliases(tracking: Tracking, shown: Shown, deployment: Deployment, known: Sequence[Release]) -> list[str]:
    versions = {one.version for one in shown.versions}
    waiting = [one for one in known if one.state is ReleaseState.CANDIDATE]
    live = next(one for one in known if one.number == deployment.release)
    wanted = {"production": live.mlflow_version, "candidate": waiting[-1].mlflow_version if waiting else None}
    repaired = []
    for alias, version in wanted.items():
        before = shown.version_of(alias)
        if before == version or (version is not None and version not in versions):
            continue
        shown_by_mlflow.point(tracking, alias, version)
        # MLflow had followed this very deployment, so nobody but a person can have moved the alias since.
        by_hand = alias == "production" and shown.epoch == deployment.epoch
        repaired.append(_moved(alias, before, version, by_hand))
    return repaired


def _moved(alias: str, before: str | None, after: str | None, by_hand: bool) -> str:
    was, now = (f"version {version}" if version else "no version" for version in (before, after))
    if by_hand:
        return f"somebody had set the MLflow alias {alias} to {was}: it names {now} again, as the ledger says"
    return f"the MLflow alias {alias} moved from {was} to {now}"
