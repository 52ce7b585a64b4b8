"""`sealed ui` from its start to its end: one at a time in a workspace, and nothing is left when it is over."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from flows.services.ui.accounts import accounts_of
from flows.services.ui.addresses import LOCK, forget, read_addresses, record
from flows.services.ui.calls import drop_missed_runs, make_reviewer
from flows.services.ui.ports import Addresses, Ports, free_ports
from flows.services.ui.processes import (
    Plan,
    deploying,
    folder_of,
    mark_of,
    servers,
    sign_in_file,
    sign_in_text,
    worker,
)
from flows.services.ui.supervision import Stopped, Supervisor, end_marked, stopped_by_signals
from flows.wiring import Workspace
from pipeline.actors import proposer_named
from pipeline.config import Settings
from pipeline.errors import LockedError, PolicyError
from pipeline.files import write_text
from registry.mlflow.app.roles import read_roles

_PATIENCE = 2.0  # who asks whether one runs holds the lock for a moment


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What answers now. `made`: the accounts are of this start. `known`: MLflow takes the reviewer's password."""

    addresses: Addresses
    own_mlflow: bool
    model: str
    has_releases: bool
    folder: Path
    reviewer: str
    admin: str
    made: bool
    known: bool


def run_ui(workspace: Workspace, ports: Ports, ready: Callable[[Ready], None], *, reviewer: str | None = None) -> None:
    """Starts all servers, calls `ready` when all answer, and returns when SIGINT or SIGTERM ended them.

    Raises PolicyError in a team's workspace, LockedError where it runs already, ProcessFailed where a server does not
    come up or ends; BadInput, BadDataFile, TrackingFailed, ExternalError.
    """
    settings = workspace.settings
    _expect_one_person(settings)
    workspace.keys.expect_own()  # MLflow's server signs what people decide there
    with _alone(settings):
        # What a killed one left would hold its ports and its databases.
        end_marked(mark_of(settings.workspace))
        accounts, made = accounts_of(folder_of(settings.workspace), reviewer, proposer_named())
        plan = Plan(
            settings=settings,
            accounts=accounts,
            ports=free_ports(ports),
            roles=read_roles(os.environ),
            base=dict(os.environ),
        )
        write_text(sign_in_file(plan), sign_in_text(plan))
        if plan.own_mlflow:
            _make_store(workspace)
        supervisor = Supervisor(mark=mark_of(settings.workspace), secrets=accounts.secrets)
        with stopped_by_signals(supervisor.stopping):
            try:
                known = _start(plan, supervisor)
                record(plan)
                ready(_ready(workspace, plan, made=made, known=known))
                supervisor.watch()
            except Stopped:
                return
            finally:
                forget(settings.workspace)
                supervisor.end()


def _start(plan: Plan, supervisor: Supervisor) -> bool:
    """Starts everything, and waits until all of it answers. Returns whether the reviewer's password is the file's."""
    prefect, *others = servers(plan)
    for process in (prefect, *others):
        supervisor.start(process)
    supervisor.await_ready(prefect)
    drop_missed_runs(plan)
    for process in deploying(plan):
        supervisor.run(process)
    for process in others:
        supervisor.await_ready(process)
    known = make_reviewer(plan) if plan.own_mlflow else False
    supervisor.start(worker(plan))
    return known


def _ready(workspace: Workspace, plan: Plan, *, made: bool, known: bool) -> Ready:
    return Ready(
        addresses=plan.addresses,
        own_mlflow=plan.own_mlflow,
        model=plan.settings.model_name,
        has_releases=any(one.mlflow_version for one in workspace.ledger.releases.listed()),
        folder=plan.folder,
        reviewer=plan.accounts.reviewer,
        admin=plan.accounts.admin,
        made=made,
        known=known,
    )


def _expect_one_person(settings: Settings) -> None:
    """Raises PolicyError in a team's workspace: all parts on one account would put its runs beside its keys."""
    if settings.review == "team":
        raise PolicyError(
            'sealed ui is for one machine, and this workspace has review = "team": its runs must not have the signing '
            "key that its decisions are adopted with. Start the parts as docs/review.md says, or docker-compose.yml."
        )


def _make_store(workspace: Workspace) -> None:
    """Makes the embedded store, if it is not there: MLflow's server would make it in a way that a kill breaks."""
    from registry.mlflow.client import remake_half_made

    remake_half_made(workspace.tracking)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Holds the lock of the workspace's servers. Raises LockedError where another process does."""
    folder = folder_of(settings.workspace)
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=_PATIENCE):
            yield
    except Timeout:
        found = read_addresses(settings.workspace)
        where = f", with MLflow at {found.mlflow}" if found else ", and is starting"
        raise LockedError(f"sealed ui runs already in {settings.workspace}{where}.") from None
