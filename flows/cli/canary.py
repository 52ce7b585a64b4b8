"""`sealed watch` looks at the canary, once or again and again; `sealed promote` gives it the next share by hand."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, Actor, AsJson, WorkspaceOption
from flows.cli.runs import record_in
from flows.cli.sign_in import password_of
from pipeline.errors import SealedError

if TYPE_CHECKING:
    from flows.services.canary import Watched


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    every: Annotated[float, typer.Option(min=1.0, help="Seconds from one look to the next.")] = 60.0,
    items: Annotated[int, typer.Option(min=0, help="Eval items put to both releases at each look; loads a model.")] = 0,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Judge the canary by what was graded: it gets more of the requests, goes on, or is rolled back."""
    folder = record_in(workspace)
    if once:
        _say(_look(folder, items), json)
        return
    last = ""
    while True:
        try:
            seen = _look(folder, items)
        except SealedError as error:
            screen.say(f"{error} Looking again in {every:g} s.")
        else:
            if seen.sentence != last:
                _say(seen, json)
            last = seen.sentence
        time.sleep(every)


def promote(
    actor: Actor,
    reason: Annotated[str, typer.Option(help="Why it needs no more evidence; recorded.")],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Give the canary the next share of the requests now, whatever was graded. A team's person signs in to MLflow."""
    from flows.services import canary
    from flows.wiring import open_workspace

    promoted = canary.promote(open_workspace(workspace), actor=actor, reason=reason, password=password_of)
    if json:
        screen.as_json(promoted)
    else:
        screen.say(f"release {promoted.release} gets {100 * promoted.share:g} % of the requests, as {actor} decided.")


def _look(folder: Path, items: int) -> "Watched":
    from flows.watch import look, show
    from flows.wiring import open_workspace

    seen = look(open_workspace(folder), items)
    show(folder, seen)
    return seen


def _say(seen: "Watched", json: bool) -> None:
    if json:
        screen.as_json(seen)
    else:
        failed = seen.rollback.reconciled.failed if seen.rollback else ()
        screen.say(seen.sentence, *(f"not yet reconciled: {one}" for one in failed))
