"""Puts the verbs together, and turns every error of ours into a sentence and an exit code."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from flows.cli import (
    canary,
    demo,
    documents,
    gates,
    keys,
    models,
    reconciliation,
    releases,
    runs,
    sandbox,
    screen,
    serving,
    suites,
    ui,
    workspace,
)
from pipeline.errors import ExternalError, SealedError

EPILOG = (
    "Exit codes: 0 done, 2 usage, 3 refused by a gate or a rule, 4 the world failed (model, database, server), "
    "5 undecided by `gates run`, 130 interrupted."
)

INTERRUPTED = 130

app = typer.Typer(
    name="sealed",
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    help="Feeds documents to a deployed language model, and releases the updated model only when it learned them, "
    "forgot nothing that matters, and a person agreed.",
)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"sealed {version('sealed')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What holds of every verb; the help of the whole is the app's."""


app.command("init")(workspace.init)
app.command("update")(runs.update)
app.command("rebuild")(runs.rebuild)
app.command("train-writer")(runs.train_writer)
app.command("status")(workspace.status)
app.add_typer(documents.app, name="documents")
app.command("releases")(releases.listed)
app.command("show")(releases.show)
app.command("ask")(releases.ask)
app.command("approve")(releases.approve)
app.command("reject")(releases.reject)
app.command("rollback")(releases.rollback)
app.add_typer(gates.app, name="gates")
app.add_typer(suites.app, name="suites")
app.add_typer(keys.app, name="keys")
app.command("reconcile")(reconciliation.reconcile)
app.command("serve")(serving.serve)
app.add_typer(serving.app, name="api-keys")
app.command("ui")(ui.ui)
app.command("watch")(canary.watch)
app.command("promote")(canary.promote)
app.add_typer(models.app, name="models")
app.add_typer(sandbox.app, name="sandbox")
app.command("demo")(demo.demo)
app.command("demo-real")(demo.demo_real)
app.command("doctor")(workspace.doctor)


def main() -> None:
    """Runs the command line. The process exits with the code that the command, or its error, stands for."""
    screen.log_to_terminal()
    try:
        app()
    except SealedError as error:
        screen.complain(str(error))
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            screen.complain("stopped. Finished steps are kept: run the same command again to go on.")
        raise
    except OSError as error:
        screen.complain(f"{error}. Make room or mend its access, then run the command again.")
        sys.exit(ExternalError.exit_code)
