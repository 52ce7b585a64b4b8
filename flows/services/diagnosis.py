"""What `sealed doctor` looks at: each part of a workspace, one finding each, and none stops the next."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.services import adoption
from flows.services.gate_plans import expect_possible
from flows.services.repair import repair
from flows.services.scheduler import crash_dead_runs, reach_scheduler, scheduler_address
from flows.wiring import Workspace, open_workspace
from gates.predictability import expect_scorable
from pipeline.addresses import redacted_address
from pipeline.errors import DatabaseFailed, ExternalError, LedgerTampered, SealedError
from pipeline.types import ReleaseState
from registry.mlflow import client

ENOUGH_BYTES = 2_000_000_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One part of the workspace, whether it is well, and a sentence."""

    part: str
    ok: bool
    sentence: str


def examine(folder: Path, *, fix: bool = False) -> tuple[Finding, ...]:
    """Looks at every part; with `fix` it first mends what can be mended. A workspace that cannot be opened at all is
    one finding.
    """
    try:
        workspace = open_workspace(folder)
    except SealedError as error:
        part = "ledger" if isinstance(error, DatabaseFailed) else "workspace"
        return (Finding(part=part, ok=False, sentence=str(error)),)
    checks: tuple[tuple[str, Callable[[Workspace], str]], ...] = (
        ("ledger", _ledger),
        ("recipe", _recipe),
        ("suites", _suites),
        ("base model", lambda it: f"{it.base.path} is the one of init"),
        ("adapters", _adapters),
        ("decisions", _decisions),
        ("contents", _contents),
        ("MLflow", _tracking),
        ("reconciling", _reconciling),
        ("Prefect", _scheduler),
        ("disk", _disk),
    )
    mending = (("mending", _mending),) if fix else ()
    return tuple(_finding(part, check, workspace) for part, check in (*mending, *checks))


def _finding(part: str, check: Callable[[Workspace], str], workspace: Workspace) -> Finding:
    try:
        return Finding(part=part, ok=True, sentence=check(workspace))
    except SealedError as error:
        return Finding(part=part, ok=False, sentence=str(error))


def _mending(workspace: Workspace) -> str:
    done = repair(workspace)
    if done.failed:
        raise ExternalError("; ".join((*done.repaired, *done.failed)))
    return "; ".join(done.repaired) or "there was nothing to mend"


def _ledger(workspace: Workspace) -> str:
    return f"release {workspace.ledger.releases.production().number} is production at {workspace.ledger.address}"


def _recipe(workspace: Workspace) -> str:
    expect_possible(workspace)
    return f"digest {workspace.recipe.digest[:12]}"


def _suites(workspace: Workspace) -> str:
    suites = workspace.suites
    expect_scorable(workspace.base, suites.texts)
    kinds = (("retention", suites.retention), ("safety", suites.safety), ("regression", suites.regression))
    asked = ", ".join(f"{sum(map(len, found))} {kind} items" for kind, found in kinds)
    return f"{asked}, {len(suites.texts)} texts" if suites.texts else asked


def _adapters(workspace: Workspace) -> str:
    serving = (ReleaseState.PRODUCTION, ReleaseState.CANDIDATE, ReleaseState.SUPERSEDED)
    needed = [release for release in workspace.ledger.releases.needed() if release.number and release.state in serving]
    for release in needed:
        if release.state is ReleaseState.CANDIDATE:
            workspace.verify_bytes(release)
        else:
            workspace.verify(release)
    return f"{len(needed)} adapters of production, candidates and rollback targets verify"


def _decisions(workspace: Workspace) -> str:
    keys = workspace.keys
    known = len(keys.over_decisions.trusted)
    rows = workspace.ledger.deployments.expect_unbroken(keys)
    taken = workspace.ledger.review_decisions.expect_unbroken(keys)
    workspace.high_water.expect_reached()
    workspace.high_water.note()
    signs = "" if keys.own else "; no signing key is at hand, so nobody approves from here"
    return (
        f"{rows} rows of approvals and history follow each other, and {taken} of decisions in MLflow, signed by "
        f"trusted keys ({known}){signs}"
    )


def _contents(workspace: Workspace) -> str:
    wrong = workspace.ledger.contents.disagreements()
    if wrong:
        raise LedgerTampered(
            f"the ledger was changed by other hands than ours: {'; '.join(wrong)}. Put the ledger's backup back."
        )
    return "every document, self-edit, update and report is what its digest says, and each release has its own report"


def _reconciling(workspace: Workspace) -> str:
    done = adoption.reconcile(workspace)
    if done.failed:
        raise ExternalError(" ".join(done.failed))
    return "; ".join(done.reconciled.repaired) or "aliases and tags match the ledger"


def _tracking(workspace: Workspace) -> str:
    remade = client.remake_half_made(workspace.tracking)
    state = client.read(workspace.tracking)
    named = ", ".join(f"{alias} is version {version}" for alias, version in state.aliases)
    address = redacted_address(workspace.settings.tracking_uri)
    answers = f"{address} answers; {named or 'no release is in production or waits'}"
    return f"{remade}; {answers}" if remade else answers


def _scheduler(workspace: Workspace) -> str:
    if not scheduler_address():
        return "no PREFECT_API_URL: each run records itself in the workspace"
    reach_scheduler()
    dead = ", ".join(crash_dead_runs(workspace))
    return f"crashed now, because no process works on them: {dead}" if dead else "each run under way has its process"


def _disk(workspace: Workspace) -> str:
    free = shutil.disk_usage(workspace.settings.workspace).free
    if free < ENOUGH_BYTES:
        raise ExternalError(f"only {free / 1e9:.1f} GB are free below {workspace.settings.workspace}. Make room.")
    return f"{free / 1e9:.0f} GB free"
