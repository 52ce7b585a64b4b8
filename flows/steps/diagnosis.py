"""What `sealed doctor` looks at: each part of a workspace, one finding each, and none stops the next."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.steps.scheduler import crash_dead_runs, reach_scheduler, scheduler_address
from flows.wiring import Workspace, open_workspace
from pipeline.addresses import redacted_address
from pipeline.errors import DatabaseFailed, ExternalError, SealedError
from pipeline.types import ReleaseState

ENOUGH_BYTES = 2_000_000_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One part of the workspace, whether it is well, and a sentence."""

    part: str
    ok: bool
    sentence: str


def examine(workspace: Path) -> tuple[Finding, ...]:
    """Looks at every part. A workspace that cannot be opened at all is one finding."""
    try:
        parts = open_workspace(workspace)
    except SealedError as error:
        part = "ledger" if isinstance(error, DatabaseFailed) else "workspace"
        return (Finding(part=part, ok=False, sentence=str(error)),)
    checks: tuple[tuple[str, Callable[[Workspace], str]], ...] = (
        ("ledger", _ledger),
        ("recipe", lambda it: f"digest {it.recipe.digest[:12]}"),
        ("suites", _suites),
        ("base model", lambda it: f"{it.base.path} is the one of init"),
        ("adapters", _adapters),
        ("MLflow", _tracking),
        ("following", _following),
        ("Prefect", _scheduler),
        ("disk", _disk),
    )
    return tuple(_finding(part, check, parts) for part, check in checks)


def _finding(part: str, check: Callable[[Workspace], str], parts: Workspace) -> Finding:
    try:
        return Finding(part=part, ok=True, sentence=check(parts))
    except SealedError as error:
        return Finding(part=part, ok=False, sentence=str(error))


def _ledger(parts: Workspace) -> str:
    return f"release {parts.ledger.releases.production().number} is production at {parts.ledger.address}"


def _suites(parts: Workspace) -> str:
    from gates.suite import read_suites

    suites = read_suites(parts.settings.suites)
    kinds = (("retention", suites.retention), ("safety", suites.safety), ("regression", suites.regression))
    return ", ".join(f"{sum(map(len, found))} {kind} items" for kind, found in kinds)


def _adapters(parts: Workspace) -> str:
    serving = (ReleaseState.PRODUCTION, ReleaseState.CANDIDATE, ReleaseState.SUPERSEDED)
    needed = [release for release in parts.ledger.releases.needed() if release.number and release.state in serving]
    for release in needed:
        parts.verify(release)
    return f"{len(needed)} adapters of production, candidates and rollback targets verify"


def _following(parts: Workspace) -> str:
    reconciled = parts.reconcile()
    if reconciled.failed:
        raise ExternalError(" ".join(reconciled.failed))
    return "; ".join(reconciled.repaired) or "aliases and tags match the ledger"


def _tracking(parts: Workspace) -> str:
    from registry.mlflow import client as mlflow_client
    from registry.mlflow.client import remake_half_made

    remade = remake_half_made(parts.tracking)
    aliases = ", ".join(
        f"{alias} is version {version}" for alias, version in mlflow_client.read(parts.tracking).aliases
    )
    answers = f"{redacted_address(parts.settings.tracking_uri)} answers; {aliases or 'no release is live or waits'}"
    return f"{remade}; {answers}" if remade else answers


def _scheduler(parts: Workspace) -> str:
    if not scheduler_address():
        return "no PREFECT_API_URL: each run records itself in the workspace"
    reach_scheduler()
    dead = ", ".join(crash_dead_runs(parts))
    return f"crashed now, because no process works on them: {dead}" if dead else "each run under way has its process"


def _disk(parts: Workspace) -> str:
    free = shutil.disk_usage(parts.settings.workspace).free
    if free < ENOUGH_BYTES:
        raise ExternalError(f"only {free / 1e9:.1f} GB are free below {parts.settings.workspace}. Make room.")
    return f"{free / 1e9:.0f} GB free"
