"""What Prefect shows of a run: a name by number and date, and an ending that says how it went. Decides nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, cast

from prefect import runtime
from prefect.states import Completed

from flows.outcome import RunOutcome
from flows.steps.artifacts import publish_outcome
from flows.wiring import open_workspace
from pipeline.errors import SealedError
from pipeline.types import RunKind

P = ParamSpec("P")


def run_name(kind: RunKind) -> Callable[[], str]:
    """Names a run as it starts, such as "nightly-12 2026-11-27"; without the number where the ledger cannot be read."""

    def name() -> str:
        number = _number(kind, Path(str(runtime.flow_run.parameters.get("workspace", ""))))
        return f"{kind}{number} {datetime.now(UTC):%Y-%m-%d}"

    return name


def ends_named(run: Callable[P, RunOutcome]) -> Callable[P, RunOutcome]:
    """Lets a flow end in the Prefect state of its outcome, with its sentence as message, and leave it as an artifact.

    All of them are of type COMPLETED: a rejected run did its work, and nothing is to retry it. Who calls the flow gets
    the outcome: Prefect hands out what a returned state of that type holds.
    """

    @wraps(run)
    def ended(*args: P.args, **kwargs: P.kwargs) -> RunOutcome:
        outcome = run(*args, **kwargs)
        publish_outcome(outcome)
        return cast(RunOutcome, Completed(name=outcome.state, message=outcome.sentence, data=outcome))

    return ended


def _number(kind: RunKind, workspace: Path) -> str:
    try:
        return f"-{open_workspace(workspace).ledger.runs.upcoming(kind)}"
    except SealedError:
        # A name is no reason to fail: the run itself meets the same error and says it.
        return ""
