"""`sealed approve`, `reject` and `rollback`: a person's decisions. They need no scheduler and no model."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, Actor, AsJson, WorkspaceOption

if TYPE_CHECKING:
    from flows.steps.review import ProductionChange
    from pipeline.types import Deployment

Number = Annotated[int, typer.Argument(help="The release's number, as `sealed releases` shows it.", min=0)]


def approve(
    number: Number,
    actor: Actor,
    note: Annotated[str, typer.Option(help="Why it may go live; recorded.")],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Approve a candidate: it becomes production."""
    from flows.steps import review
    from flows.wiring import open_workspace

    moved = review.approve(open_workspace(workspace), number, actor=actor, note=note)
    _show(moved, json, f"release {number} is production, approved by {actor}.")


def reject(
    number: Number,
    actor: Actor,
    reason: Annotated[str, typer.Option(help="Why not; recorded, and shown with its documents.")],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Reject a candidate: its documents are quarantined with the reason."""
    from flows.steps import review
    from flows.wiring import open_workspace

    approval = review.reject(open_workspace(workspace), number, actor=actor, reason=reason)
    if json:
        screen.as_json(approval)
    else:
        screen.say(f"release {number} is rejected by {actor}; what it learned is quarantined: see `sealed documents`.")


def rollback(
    actor: Actor,
    reason: Annotated[str, typer.Option(help="What went wrong; recorded.")],
    to: Annotated[
        int | None, typer.Option(help="Release to put back; default: the production before this one.", min=0)
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Put an earlier release back, at once; works with MLflow and Prefect down."""
    from flows.steps import review
    from flows.wiring import open_workspace

    moved = review.rollback(open_workspace(workspace), to, actor=actor, reason=reason)
    _show(moved, json, _rolled_back(moved.deployment, moved.already))


def _rolled_back(done: "Deployment", already: bool) -> str:
    if already:
        when = screen.when(done.at)
        return f"release {done.release} is production already, rolled back by {done.actor} {when}: nothing was done."
    return f"release {done.release} is production again, rolled back by {done.actor}."


def _show(moved: "ProductionChange", json: bool, sentence: str) -> None:
    if json:
        screen.as_json(moved)
        return
    screen.say(sentence)
    for failed in moved.reconciled.failed:
        screen.say(f"not yet followed: {failed}")
    if moved.reconciled.failed:
        screen.say("This is decided, and live here. Do not run it again: `sealed doctor` finishes it.")
