"""What every flow of a run shares: its name, its lease, the way from an adapter to a candidate, and its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, cast

from prefect import runtime
from prefect.states import Completed

from flows import tasks
from flows.artifacts import publish_outcome, publish_report
from flows.outcome import NOTHING_INGESTED, Ended, RunOutcome
from flows.run_context import RunContext
from flows.services.gate_plans import expect_possible
from flows.wiring import open_workspace
from pipeline.config import Settings
from pipeline.errors import LockedError, PolicyError, SealedError
from pipeline.types import IngestCounts, Run, RunKind, Trained, Verdict
from registry.trusted_folder import changeable

P = ParamSpec("P")


def run_name(kind: RunKind) -> Callable[[], str]:
    """Names a run as it starts, such as "nightly-12 2026-11-27"; without the number where the ledger cannot be read."""

    def name() -> str:
        number = _number(kind, Path(str(runtime.flow_run.parameters.get("workspace", ""))))
        return f"{kind}{number} {datetime.now(UTC):%Y-%m-%d}"

    return name


def _number(kind: RunKind, workspace: Path) -> str:
    try:
        return f"-{open_workspace(workspace).ledger.runs.upcoming(kind)}"
    except SealedError:
        # A name is no reason to fail: the run itself meets the same error and says it.
        return ""


def ends_named(run: Callable[P, RunOutcome]) -> Callable[P, RunOutcome]:
    """Lets a flow end in the Prefect state of its outcome, with its sentence as message, and leave it as an artifact.

    All of them are of type COMPLETED: a rejected run did its work, and nothing is to retry it. A run that finds another
    one at work ends as BUSY. Who calls the flow gets the outcome: Prefect hands out what a returned state holds.
    """

    @wraps(run)
    def ended(*args: P.args, **kwargs: P.kwargs) -> RunOutcome:
        try:
            outcome = run(*args, **kwargs)
        except LockedError as other:
            outcome = RunOutcome(ended=Ended.BUSY, sentence=str(other))
        publish_outcome(outcome)
        return cast(RunOutcome, Completed(name=outcome.state, message=outcome.sentence, data=outcome))

    return ended


@contextmanager
def acquire_run(workspace: Path) -> Iterator[RunContext]:
    """Holds the lease of the run for the block. Raises LockedError while another living run holds it.

    Raises PolicyError where a team's run could sign what it makes, or trust a key of its own, and BadRecipe where no
    update could pass.
    """
    opened = open_workspace(workspace)
    if opened.settings.review == "team":
        _expect_no_key_in_reach(opened.settings)
    expect_possible(opened)
    with opened.ledger.session() as session:
        yield RunContext(opened, session, opened.recipe)


def _expect_no_key_in_reach(settings: Settings) -> None:
    """Raises PolicyError where the account of a team's run has the signing key, or says which keys are trusted."""
    if settings.signing_key is not None:
        raise PolicyError(
            "a team's run must not be able to sign what it makes: unset SEALED_SIGNING_KEY where runs work. Reviewers "
            "set it, and whoever records their decisions."
        )
    if (within_reach := changeable(settings.trusted_keys)) is not None:
        raise PolicyError(
            f"a team's run must not be able to trust a key of its own, and this account can change {within_reach}. "
            "Mount the folder of the trusted keys read-only where runs work, as docker-compose.yml does "
            "(trusted:/trusted:ro), and name it in SEALED_TRUSTED_KEYS; or let the folder, its files and all folders "
            "above it belong to another account."
        )


def conclude(context: RunContext, run: Run, trained: Trained, taken: IngestCounts = NOTHING_INGESTED) -> RunOutcome:
    """Evaluates what was trained, then rejects the run, or registers a candidate that waits for its reviewer.

    A run that fails its gates is first bisected, as far as its recipe lets it; what is left is evaluated whole.
    """
    report = tasks.evaluate(context, run, trained)
    while (left := tasks.bisect(context, run, trained, report)) is not None:
        run = left
        trained = tasks.train_adapter(context, run, tasks.plan_update(context, run))
        report = tasks.evaluate(context, run, trained)
    publish_report(run.number, report, context.workspace.summary_file(run))
    if report.verdict is not Verdict.PASS:
        return tasks.reject(context, run, report, taken)
    release = tasks.register(context, run, trained, report)
    return tasks.await_review(context, run, release, report, taken)
