"""What `sealed ui` asks of its own servers once they answer: an account for the reviewer, and no missed runs."""

from datetime import UTC, datetime
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

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


def drop_missed_runs(plan: Plan) -> None:
    """Deletes the runs of schedules whose time passed while no worker ran. Raises SchedulerFailed.

    Prefect would start all of them at once; the next one does the work of all. A run that somebody asked for stays.
    """
    past = {"before_": datetime.now(UTC).isoformat()}
    waiting = {"state": {"type": {"any_": ["SCHEDULED"]}}, "next_scheduled_start_time": past}
    try:
        found = _prefect(plan, "flow_runs/filter", {"flow_runs": waiting, "limit": _AT_ONCE})
        missed = [run["id"] for run in found if run["auto_scheduled"]]
        if missed:
            _prefect(plan, "flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": missed}}, "limit": len(missed)})
    except httpx.HTTPError as error:
        raise SchedulerFailed(_words("Prefect", plan, error)) from harmless(error, *plan.accounts.secrets)


# Prefect answers 503 while its own services hold its database, as they do right after its start.
@retry(retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_attempt(6), wait=wait_fixed(2.0), reraise=True)
def _prefect(plan: Plan, path: str, body: dict[str, Any]) -> Any:
    sign = (plan.accounts.admin, plan.accounts.admin_password)
    answer = httpx.post(f"{plan.addresses.prefect}/api/{path}", json=body, auth=sign, timeout=_SECONDS)
    return answer.raise_for_status().json()


def _words(what: str, plan: Plan, error: Exception) -> str:
    said = redacted(str(error) or type(error).__name__, *plan.accounts.secrets)
    return f"the {what} that sealed ui started could not be asked: {said}. Its log is in {plan.folder}."
