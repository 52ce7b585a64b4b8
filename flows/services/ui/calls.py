"""What `sealed ui` asks of its own servers once they answer: an account for the reviewer, and no missed runs."""

from datetime import UTC, datetime
from typing import Any

import httpx

from flows.services.ui.processes import Plan
from pipeline.addresses import harmless, redacted
from pipeline.errors import PolicyError, SchedulerFailed, TrackingFailed
from registry.sign_in import sign_in

_CREATE_USER = "api/2.0/mlflow/users/create"
_SECONDS = 30.0
_AT_ONCE = 200  # Prefect's own limit


def make_reviewer(plan: Plan) -> bool:
    """Makes the reviewer's account in MLflow, if it is not there. Idempotent. Raises TrackingFailed.

    Returns whether MLflow takes the password of the accounts' file: False where somebody changed it in MLflow.
    """
    if _signs_in(plan):
        return True
    accounts, asked = plan.accounts, {"username": plan.accounts.reviewer, "password": plan.accounts.reviewer_password}
    sign = (accounts.admin, accounts.admin_password)
    try:
        httpx.post(f"{plan.addresses.mlflow}/{_CREATE_USER}", json=asked, auth=sign, timeout=_SECONDS)
    except httpx.HTTPError as error:
        raise TrackingFailed(_words("MLflow", plan, error)) from harmless(error, *accounts.secrets)
    return _signs_in(plan)


def _signs_in(plan: Plan) -> bool:
    try:
        sign_in(plan.addresses.mlflow, plan.accounts.reviewer, plan.accounts.reviewer_password)
    except PolicyError:
        return False
    return True


def drop_missed_runs(plan: Plan) -> int:
    """Deletes the scheduled runs whose time passed while no worker ran. Returns how many. Raises SchedulerFailed.

    Prefect would start all of them at once, hundreds after a night; the next one does the work of all.
    """
    past = {"before_": datetime.now(UTC).isoformat()}
    asked = {
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}, "next_scheduled_start_time": past},
        "limit": _AT_ONCE,
    }
    dropped = 0
    try:
        with httpx.Client(
            base_url=f"{plan.addresses.prefect}/api/",
            auth=(plan.accounts.admin, plan.accounts.admin_password),
            timeout=_SECONDS,
        ) as client:
            while missed := _asked(client, asked):
                for run in missed:
                    client.delete(f"flow_runs/{run['id']}").raise_for_status()
                dropped += len(missed)
    except httpx.HTTPError as error:
        raise SchedulerFailed(_words("Prefect", plan, error)) from harmless(error, *plan.accounts.secrets)
    return dropped


def _asked(client: httpx.Client, asked: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.post("flow_runs/filter", json=asked).raise_for_status().json()
    # A run that somebody asked for by hand is no missed one.
    return [run for run in found if run["auto_scheduled"]]


def _words(what: str, plan: Plan, error: Exception) -> str:
    said = redacted(str(error) or type(error).__name__, *plan.accounts.secrets)
    return f"the {what} that sealed ui started could not be asked: {said}. Its log is in {plan.folder}."
