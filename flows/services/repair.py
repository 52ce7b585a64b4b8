"""What `sealed doctor --fix` mends: adapters that are gone from this disk, and versions that are gone from MLflow.

Each is held in both places, so that either is made again from the other; what is in neither is said. The ledger itself
is never mended: only its backup can be put back.
"""

from collections.abc import Callable, Iterator
from functools import partial

from flows.services.registrations import registration_of
from flows.wiring import Workspace
from pipeline.adapters.saving import trained_adapter
from pipeline.errors import CorruptAdapter, ExternalError, PolicyError, TrackingFailed, WrongBase
from pipeline.files import new_folder
from pipeline.types import Release
from registry import Reconciled
from registry.mlflow import client
from registry.mlflow.releases import fetch, register
from registry.projection import SHOWN
from registry.tracking import lost_versions, missing_versions

_FAILURES = (ExternalError, PolicyError, OSError)
Mend = Callable[[], str]


def repair(workspace: Workspace) -> Reconciled:
    """Mends what can be mended; what was, and what could not be, in sentences. Idempotent. Raises DatabaseFailed."""
    repaired, failed = list[str](), list[str]()
    for mend in (*_lost_adapters(workspace), *_lost_versions(workspace, failed)):
        try:
            repaired.append(mend())
        except _FAILURES as error:
            failed.append(str(error))
    return Reconciled(repaired=tuple(repaired), failed=tuple(failed))


def _lost_adapters(workspace: Workspace) -> Iterator[Mend]:
    """One for each adapter that must be here and is not what the ledger names."""
    for release in workspace.ledger.releases.needed():
        if release.state not in SHOWN:
            continue
        try:
            workspace.verify_bytes(release)
        except (CorruptAdapter, WrongBase) as error:
            yield partial(_fetched, workspace, release, error)


def _fetched(workspace: Workspace, release: Release, lost: Exception) -> str:
    """Puts back what MLflow holds, if it is what the ledger names."""
    if release.mlflow_version is None:
        raise CorruptAdapter(f"{lost} MLflow never held release {release.number}: put a backup of the folder back.")
    folder = workspace.folder_of(release.update)
    try:
        with new_folder(folder) as fresh:
            fetch(workspace.tracking, release, fresh)
            workspace.verify_folder(fresh, release)
    except (TrackingFailed, CorruptAdapter, WrongBase) as error:
        raise CorruptAdapter(
            f"the adapter of release {release.number} is not held here, and was not fetched from MLflow: {error}"
        ) from error
    return f"the adapter of release {release.number} was fetched from MLflow, and verifies"


def _lost_versions(workspace: Workspace, failed: list[str]) -> Iterator[Mend]:
    """One for each release whose version MLflow no longer holds; why MLflow could not be asked goes to `failed`."""
    releases, needed = workspace.ledger.releases.listed(), workspace.ledger.releases.needed()
    if not any(release.mlflow_version for release in releases) and not lost_versions(needed):
        return
    try:
        client.remake_half_made(workspace.tracking)
        missing = (*missing_versions(client.read(workspace.tracking), releases), *lost_versions(needed))
    except TrackingFailed as error:
        failed.append(str(error))
        return
    for release in missing:
        yield partial(_registered, workspace, release)


def _registered(workspace: Workspace, release: Release) -> str:
    """Registers a release again from its local adapter; of one that is not held here, the loss is recorded.

    The loss is recorded first: a server of a team makes a version only for a release that has none.
    """
    number, ledger = release.number, workspace.ledger
    trained = trained_adapter(workspace.identity, release.update, workspace.folder_of(release.update))
    run = next(run for run in ledger.runs.listed() if run.release == number)
    if trained is None and number not in {one.number for one in ledger.releases.needed()}:
        ledger.releases.replace_version(release, None)
        return f"release {number}, {release.state}, is in MLflow no longer, nor here: that is recorded"
    if trained is None or release.report is None or not workspace.has_report(run):
        raise ExternalError(
            f"release {number} is in MLflow no longer, and its adapter and report are not whole here: it cannot be "
            "registered again. Put a backup of MLflow or of the workspace back."
        )
    workspace.verify_bytes(release)
    report = ledger.reports.get(release.report)
    release = ledger.releases.replace_version(release, None)
    version = register(workspace.tracking, registration_of(workspace, run, release, trained, report))
    ledger.releases.replace_version(release, version)
    return f"release {number} was lost in MLflow, and is registered again from here, as version {version}"
