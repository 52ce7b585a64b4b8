"""`sealed ui`: everything that one machine needs for review, schedule and clients, until it is stopped."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption
from pipeline.addresses import redacted_address

if TYPE_CHECKING:
    from flows.services.ui.session import Ready

_FREE = "; 0 takes a free one. Default: {}, or a free one where that is taken."


def ui(
    mlflow_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help=f"Port of MLflow{_FREE.format(5000)}")
    ] = None,
    prefect_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help=f"Port of Prefect{_FREE.format(4200)}")
    ] = None,
    gateway_port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help=f"Port for clients{_FREE.format(8080)}")
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option(help="Who reviews, when the accounts are made; default: reviewer.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Start MLflow, Prefect and the gateway on this machine, with sign-in, until Ctrl-C ends them."""
    from flows.services.ui.ports import Ports
    from flows.services.ui.session import run_ui
    from flows.wiring import open_workspace

    opened = open_workspace(workspace)
    if not json:
        screen.say(f"Starting. Logs are in {opened.settings.workspace / 'ui'}. This takes about a minute.")
    wanted = Ports(mlflow=mlflow_port, prefect=prefect_port, gateway=gateway_port)
    run_ui(opened, wanted, lambda ready: _show(ready, json), reviewer=reviewer)
    if not json:
        screen.say("Stopped: nothing runs any more.")


def _show(ready: "Ready", json: bool) -> None:
    """The addresses and who signs in where. Passwords are shown once, by the start that made them."""
    from flows.services.ui.accounts import FILE, read_accounts

    if json:
        screen.as_json(ready)
        sys.stdout.flush()
        return
    where = ready.addresses
    page = f"{redacted_address(where.mlflow)}/#/models"
    review = f"{page}/{ready.model}" if ready.has_releases else page
    screen.table(
        "Everything answers",
        ("what", "address", "sign in as"),
        [
            ("review, in MLflow", review, ready.reviewer if ready.own_mlflow else "who you are there"),
            ("runs and schedule, in Prefect", where.prefect, f"{ready.admin}, as {ready.admin}:PASSWORD"),
            ("the endpoint for clients", f"{where.gateway}/v1", ""),
        ],
    )
    file = ready.folder / FILE
    if ready.made:
        accounts = read_accounts(ready.folder)
        screen.table(
            f"Passwords, shown this once; they stay in {file}",
            ("account", "password"),
            [(accounts.reviewer, accounts.reviewer_password), (accounts.admin, accounts.admin_password)],
        )
    else:
        screen.say(f"The passwords are in {file}.")
    if ready.own_mlflow and not ready.known:
        screen.say(f"MLflow has another password for {ready.reviewer}: the one that somebody changed it to.")
    screen.say("Decisions in MLflow take effect within 15 seconds. Ctrl-C ends everything.")
