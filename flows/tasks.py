"""The steps of a run as Prefect tasks, by the names that operators see.

They exchange ids and small values; what is large goes through the ledger or the workspace's files. Every step is
idempotent, so a killed run is resumed by going through all of them again. Only registering is retried, and only where
MLflow failed: reconciling reports such a failure instead of raising it. None has a timeout: how long a step takes is up
to the model and the documents, and an alarm cannot interrupt the native code that the time is spent in.
"""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from flows.steps import bisect as bisecting
from flows.steps import (
    contradictions,
    evaluation,
    ingestion,
    outcomes,
    registration,
    self_edits,
    updates,
    writer_training,
)
from pipeline.errors import TrackingFailed
from pipeline.rendering import dated
from pipeline.types import Run

P = ParamSpec("P")
R = TypeVar("R")

RETRY_SECONDS = [5.0, 15.0]


def on_run_day(step: Callable[P, R]) -> Callable[P, R]:
    """The step, for which templates print the day (UTC) on which its run began, also after midnight or a kill."""

    @wraps(step)
    def dated_step(*args: P.args, **kwargs: P.kwargs) -> R:
        run = next((one for one in (*args, *kwargs.values()) if isinstance(one, Run)), None)
        with dated(run.started.astimezone(UTC).date()) if run else nullcontext():
            return step(*args, **kwargs)

    return dated_step


def _task(name: str, step: Callable[P, R]) -> Task[P, R]:
    return task(name=name, cache_policy=NO_CACHE)(on_run_day(step))


def _mlflow_failed(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), TrackingFailed)


reconcile = _task("reconcile", ingestion.reconcile)
ingest = _task("ingest documents", ingestion.ingest)
open_nightly_run = _task("choose documents and open run", ingestion.open_nightly_run)
open_run = _task("open run", ingestion.open_run)
compare_with_known = _task("compare with known answers", contradictions.compare_with_known)
write_validation_items = _task("write validation items", self_edits.write_validation_items)
write_self_edits = _task("write self-edits", self_edits.write_self_edits)
select_edit_sets = _task("select edit sets", self_edits.select_edit_sets)
plan_update = _task("plan update", updates.prepare_update)
train_adapter = _task("train adapter", updates.train_adapter)
split_documents = _task("split documents", writer_training.split_documents)
train_writer = _task("train writer", writer_training.train_writer)
evaluate = _task("evaluate", evaluation.evaluate)
bisect = _task("bisect", bisecting.bisect)
without_unwritten = _task("leave out what nothing was written about", outcomes.without_unwritten)
reject = _task("reject", outcomes.reject)
register = _task("register", registration.register).with_options(
    retries=len(RETRY_SECONDS), retry_delay_seconds=RETRY_SECONDS, retry_condition_fn=_mlflow_failed
)
await_review = _task("await review", outcomes.await_review)
