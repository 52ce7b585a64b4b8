"""What is asked of a Prefect server beside running flows: whether it answers, and to end the runs that were killed.

A process that is killed tells Prefect nothing, and its run stays PENDING or RUNNING. The ledger's lease tells: whoever
works holds it.
"""

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
from filelock import FileLock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import flow_run as this_run
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS
from prefect.states import Crashed

from flows.wiring import Workspace
from pipeline.addresses import harmless, redacted, secrets_of
from pipeline.errors import SchedulerFailed
from pipeline.types import RunKind

log = logging.getLogger("sealed")

# How long a living run may be without the lease: while a worker starts it, and between its start and its first step.
PENDING_FOR, RUNNING_FOR = timedelta(minutes=10), timedelta(minutes=1)
SETTLE_SECONDS = 5.0
NO_PROCESS = "no process works on this run any more: the next run goes on where it stopped"


def scheduler_address() -> str | None:
    """The address of the Prefect server; None where each run starts one of its own."""
    return os.environ.get("PREFECT_API_URL")


def reach_scheduler() -> None:
    """Raises SchedulerFailed where the Prefect server of PREFECT_API_URL does not answer: a run would end midway."""
    if (url := scheduler_address()) is None:
        return
    secrets = secrets_of(url)
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=10.0).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SchedulerFailed(
            f"the Prefect server of PREFECT_API_URL does not answer: {redacted(str(error), *secrets)}. Start it, or "
            "unset PREFECT_API_URL: the run is then recorded in the workspace."
        ) from harmless(error, *secrets)


def start_scheduler(workspace: Path) -> None:
    """Starts this process's own Prefect server, which Prefect would start later, where no other is used.

    One after the other on a workspace: two that find no record there would both make it, and one of them would fail.
    The server ignores Ctrl-C, which a terminal sends to it too: an interrupted run still says its end to it.
    Raises SchedulerFailed.
    """
    if PREFECT_API_URL.value() is not None:
        return
    from prefect.server.api.server import SubprocessASGIServer  # a whole server, which few commands need

    home = workspace / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "starting.lock"):
        try:
            with _deaf_to_interrupts():
                SubprocessASGIServer().start()
        except KeyboardInterrupt:
            SubprocessASGIServer().stop()
            raise
        except (RuntimeError, httpx.HTTPError) as error:
            raise SchedulerFailed(
                f"Prefect's own server did not start: {str(error).rstrip('.')}. Start the run again. Where it was too "
                "slow, set PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS to more than "
                f"{PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()}."
            ) from error


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started in the block never get Ctrl-C: they inherit this thread's mask. This process still does, by
    another of its threads, or at the end of the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def crash_dead_runs(
    workspace: Workspace, *, settle: float | None = None, at: datetime | None = None
) -> tuple[str, ...]:
    """Ends this workspace's runs that Prefect takes for alive and no process works on, as CRASHED. Returns their names.

    Within a flow, or where PREFECT_API_URL names a server; elsewhere there is nobody to ask, and nothing is done.
    A run that has just given the lease back says its own ending within `settle` seconds: it is asked twice.
    Raises SchedulerFailed.
    """
    if not (scheduler_address() or this_run.id):
        return ()
    try:
        with get_client(sync_client=True) as client:
            dead = _dead(workspace, client, this_run.id, at or datetime.now(UTC))
            if dead:
                time.sleep(SETTLE_SECONDS if settle is None else settle)
                dead = {id_: run for id_, run in _under_way(client).items() if id_ in dead}
            for id_ in dead:
                client.set_flow_run_state(id_, Crashed(message=NO_PROCESS), force=True)
    except (httpx.HTTPError, PrefectHTTPStatusError, ObjectNotFound) as error:
        secrets = secrets_of(scheduler_address() or "")
        said = redacted(str(error), *secrets)
        raise SchedulerFailed(
            f"Prefect could not be asked for killed runs: {said}. `sealed doctor` asks again."
        ) from harmless(error, *secrets)
    return tuple(run.name for run in dead.values())


def tidy_scheduler(workspace: Workspace) -> None:
    """Likewise at the start of a run, which does not depend on it: Prefect only shows."""
    try:
        for name in crash_dead_runs(workspace):
            log.warning("no process works on run %s any more: Prefect shows it as crashed", name)
    except SchedulerFailed as error:
        log.warning("%s", error)


def _under_way(client: SyncPrefectClient) -> dict[UUID, FlowRun]:
    """The runs of all workspaces that Prefect takes for alive, by id."""
    alive = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
    found = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[kind.value for kind in RunKind])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=alive)),
    )
    return {run.id: run for run in found}


def _dead(workspace: Workspace, client: SyncPrefectClient, mine: str | None, at: datetime) -> dict[UUID, FlowRun]:
    """Those of this workspace whose state is from before whoever works now, if anybody, took the lease."""
    held, found = workspace.ledger.lease_holder(), _under_way(client)
    since = held.since if held else at
    return {
        id_: run
        for id_, run in found.items()
        if str(id_) != mine
        and _of(workspace, run)
        and run.state
        and run.state.timestamp < since - _spared(run.state.type)
    }


def _of(workspace: Workspace, run: FlowRun) -> bool:
    return Path(str(run.parameters.get("workspace", ""))).resolve() == workspace.settings.workspace


def _spared(state: StateType) -> timedelta:
    return PENDING_FOR if state.value == "PENDING" else RUNNING_FOR
