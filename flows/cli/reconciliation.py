"""`sealed reconcile`: adopts what people decided in MLflow, and makes MLflow match the ledger, once or for good."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption
from pipeline.errors import ExternalError

if TYPE_CHECKING:
    from flows.services.adoption import ReconciledWorkspace

PAUSE_SECONDS = 5.0


def reconcile(
    watch: Annotated[bool, typer.Option("--watch", help="Go on every 5 seconds until it is stopped.")] = False,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Adopt what was decided in MLflow; make MLflow match the ledger."""
    if watch:
        _watch(workspace, json)
    done = _once(workspace)
    _show(done, json)
    if not json and not done.sentences:
        screen.say("nothing was decided since, and MLflow matches the ledger.")
    raise typer.Exit(ExternalError.exit_code if done.failed else 0)


def _watch(workspace: Path, json: bool) -> None:
    """Never returns. What fails is said, and tried again: only a person, or the system, ends it."""
    while True:
        try:
            done = _once(workspace)
            if done.sentences:
                _show(done, json)
        except ExternalError as error:
            screen.complain(str(error))
        time.sleep(PAUSE_SECONDS)


def _once(workspace: Path) -> "ReconciledWorkspace":
    from flows.services import adoption
    from flows.wiring import open_workspace

    return adoption.reconcile(open_workspace(workspace))


def _show(done: "ReconciledWorkspace", json: bool) -> None:
    if json:
        screen.as_json(done)
    else:
        screen.say(*done.sentences)
