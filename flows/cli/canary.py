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
    from flows.watch import look, show
    from flows.wiring import open_workspace

    last = ""
    while True:
        try:
            seen = look(open_workspace(folder))
        except ExternalError as error:
            if once:
                raise
            screen.say(f"{error} Looking again in {every:g} s.")
        else:
            _say(seen, json, unless=last)
            show(folder, seen)
            last = seen.sentence
        if once:
            return
        time.sleep(every)


def _say(seen: "Watched", json: bool, unless: str) -> None:
    if seen.sentence == unless:
        return
    if json:
        screen.as_json(seen)
    else:
        screen.say(seen.sentence)
