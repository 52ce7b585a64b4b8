"""What Prefect retries, and what operators see."""

import pytest
from prefect import Task
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from flows import tasks
from pipeline.errors import PolicyError, TrackingFailed

TASKS = [value for value in vars(tasks).values() if isinstance(value, Task)]


@pytest.mark.parametrize(("error", "again"), [(TrackingFailed("down"), True), (PolicyError("no"), False)])
def test_registering_is_retried_only_where_mlflow_failed(error: Exception, again: bool) -> None:
    assert tasks.register.retries == 2
    assert tasks.register.retry_condition_fn is not None
    run = TaskRun.model_construct()
    assert tasks.register.retry_condition_fn(tasks.register, run, Failed(data=error)) is again


def test_no_other_step_is_retried() -> None:
    assert {task.name for task in TASKS if task.retries} == {"register"}


def test_each_step_has_a_name_of_its_own() -> None:
    names = [task.name for task in TASKS]
    assert len(set(names)) == len(names) == 18
