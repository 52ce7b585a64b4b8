"""A reviewer's and on-call's decisions as Prefect flows, for the Prefect UI and for automations.

The command line makes the same decisions without Prefect.
"""

from pathlib import Path

from prefect import flow

from flows.services import review
from flows.wiring import open_workspace


@flow(name="approve", flow_run_name="approve release {release}")
def approve(workspace: Path, release: int, actor: str, note: str) -> int:
    """Approves a candidate, and makes it production once as many people approved it as must. Returns the epoch then.

    Only where one person decides: nobody signs in here, so a team's rules refuse it.
    """
    return review.approve(open_workspace(workspace), release, actor=actor, note=note).deployment.epoch


@flow(name="reject", flow_run_name="reject release {release}")
def reject(workspace: Path, release: int, actor: str, reason: str) -> int:
    """Rejects a candidate. Returns its number. A team's rules refuse it, as `approve`."""
    return review.reject(open_workspace(workspace), release, actor=actor, reason=reason).release


@flow(name="rollback", flow_run_name="roll back {workspace}")
def rollback(workspace: Path, actor: str, reason: str, target: int | None = None) -> int:
    """Puts an earlier release back (default: the previous production). Returns the deployment's epoch."""
    return review.rollback(open_workspace(workspace), target, actor=actor, reason=reason).deployment.epoch
