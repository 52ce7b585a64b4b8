"""`sealed watch`: looks at the canary, once or again and again."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption
from flows.cli.runs import record_in
from pipeline.errors import ExternalError

if TYPE_CHECKING:
    from flows.services.canary import Watched


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    every: Annotated[float, typer.Option(min=1.0, help="Seconds from one look to the next.")] = 60.0,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Judge the canary by what was graded: it gets more of the requests, goes on, or is rolled back."""
    folder = record_in(workspace)
    from flows.watch import look
    from flows.wiring import open_workspace

    if once:
        _show(look(open_workspace(folder)), json)
        return
    last = ""
    while True:
        try:
            seen = look(open_workspace(folder))
        except ExternalError as error:
            screen.say(f"{error} Looking again in {every:g} s.")
        else:
            if seen.sentence != last:
                _show(seen, json)
            last = seen.sentence
        time.sleep(every)


def _show(seen: "Watched", json: bool) -> None:
    if json:
        screen.as_json(seen)
    else:
        screen.say(seen.sentence)
