"""The watch on a canary: one look at what was graded, shown in Prefect, with an alert where something changed.

The decision is made before anything is shown: Prefect may be down.
"""

import logging
from pathlib import Path
from typing import cast

from prefect import flow
from prefect.states import Completed

from flows.alerts import raise_alert
from flows.artifacts import UNREACHABLE, publish_canary
from flows.services import canary
from flows.services.canary import Watched
from flows.wiring import Workspace, open_workspace
from pipeline.errors import SealedError
from pipeline.types import CanaryAction

log = logging.getLogger("sealed")

# The names of the states in which Prefect shows a look: an automation matches `prefect.flow-run.NAME`.
STATES = {CanaryAction.GO_ON: "GoesOn", CanaryAction.PROMOTE: "Promoted", CanaryAction.ROLL_BACK: "RolledBack"}


@flow(name="watch", flow_run_name="watch {workspace}")
def watch(workspace: Path, items: int = 0) -> Watched:
    """Looks at the canary once: gives it more of the requests, rolls it back, or goes on.

    `items`: how many eval items are put to both releases before.
    """
    seen = look(open_workspace(workspace), items)
    if seen.canary is not None and (seen.taken or seen.changed):
        publish_canary(seen.canary)
    return cast(Watched, Completed(name=state_name(seen), message=seen.sentence, data=seen))


@flow(name="canary decision", flow_run_name="canary decision at epoch {epoch}")
def decision(workspace: Path, epoch: int) -> str:
    """Shows the newest decision on the canary of a deployment, which was made without Prefect."""
    newest = open_workspace(workspace).ledger.canaries.decisions(epoch)[-1]
    publish_canary(newest)
    return newest.sentence


def look(workspace: Workspace, items: int = 0) -> Watched:
    """Decides, and raises an alert where something changed. Needs no Prefect: it only shows and calls.

    Raises what `flows.services.canary.look` does, after an alert.
    """
    block = workspace.settings.alert_block
    try:
        seen = canary.look(workspace, items)
    except SealedError as error:
        raise_alert(block, "sealed: the canary cannot be judged or rolled back", str(error))
        raise
    if seen.changed or seen.alone or seen.overtaken:
        raise_alert(block, f"sealed: {state_name(seen)}", seen.sentence)
    return seen


def show(workspace: Path, seen: Watched) -> None:
    """Leaves a look that changed something as a run in Prefect, with its page; a log line where Prefect is down."""
    if seen.canary is None or not seen.changed:
        return
    try:
        decision(workspace, seen.canary.epoch)
    except UNREACHABLE as error:
        log.warning("the canary's decision is not in Prefect: %s", error)


def state_name(seen: Watched) -> str:
    """The name of the Prefect state in which a look ends."""
    if seen.overtaken:
        return "Overtaken"
    if seen.alone:
        return "OneKeyAlone"
    return "NoCanary" if seen.canary is None else STATES[seen.canary.action]
