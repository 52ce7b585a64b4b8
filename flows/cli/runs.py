"""`sealed update`, `sealed rebuild` and `sealed train-writer`: run a flow once, here and now."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, Proposer, WorkspaceOption
from flows.outcome import RunOutcome
from gates.wording import counted
from pipeline.files import expect_folder
from pipeline.types import Bisection

# What a person at a terminal wants of Prefect: its record of the run, and none of its talk.
QUIET = (
    ("PREFECT_LOGGING_LEVEL", "CRITICAL"),
    ("PREFECT_SERVER_ANALYTICS_ENABLED", "false"),
    ("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120"),
    ("DO_NOT_TRACK", "1"),
)


def update(
    documents: Annotated[Path | None, typer.Argument(help="Folder of new documents; default: incoming/.")] = None,
    proposer: Proposer = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Learn the new documents: self-edits, training, gates, and a candidate for review."""
    if documents is not None:
        expect_folder(documents, "the run's documents")
    _end(run_nightly(workspace, documents, proposer=proposer, quiet=json), json)


def rebuild(
    proposer: Proposer = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Learn all that is learned anew from the base, without withdrawn documents: gates, and a candidate for review."""
    _end(run_rebuild(workspace, proposer=proposer, quiet=json), json)


def train_writer(
    documents: Annotated[
        Path | None,
        typer.Option(help="Folder of documents to train the writer on, not learned; default: those learned."),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds; default: the recipe's.")] = None,
    method: Annotated[str | None, typer.Option(help="rest-em or grpo; default: the recipe's.")] = None,
    proposer: Proposer = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Train the writer to write self-edits that teach more: rounds, gates, and a candidate for review."""
    _end(run_writer_training(workspace, documents, rounds, method, proposer=proposer, quiet=json), json)


def _end(outcome: RunOutcome, json: bool) -> None:
    if json:
        screen.as_json(outcome)
    else:
        show_outcome(outcome)
    raise typer.Exit(outcome.exit_code)


def run_nightly(
    workspace: Path, documents: Path | None, *, proposer: str | None = None, quiet: bool = False
) -> RunOutcome:
    """One run of the nightly flow in this process. Without PREFECT_API_URL it is recorded in the workspace."""
    folder = _prepared(workspace)
    from flows.nightly import nightly

    return _run(nightly, folder, documents, proposer=proposer, quiet=quiet)


def run_rebuild(workspace: Path, *, proposer: str | None = None, quiet: bool = False) -> RunOutcome:
    """One run of the rebuild flow, as `run_nightly` runs the nightly one."""
    folder = _prepared(workspace)
    from flows.rebuild import rebuild

    return _run(rebuild, folder, proposer=proposer, quiet=quiet)


def run_writer_training(
    workspace: Path,
    documents: Path | None = None,
    rounds: int | None = None,
    method: str | None = None,
    *,
    proposer: str | None = None,
    quiet: bool = False,
) -> RunOutcome:
    """One run of the writer-training flow, as `run_nightly` runs the nightly one."""
    folder = _prepared(workspace)
    from flows.writer_training import train_writer

    return _run(train_writer, folder, documents, rounds, method, proposer=proposer, quiet=quiet)


def _run(
    flow: Callable[..., RunOutcome], workspace: Path, *asked: object, proposer: str | None, quiet: bool
) -> RunOutcome:
    from flows.services.proposal import proposer_of
    from flows.wiring import open_workspace

    named = proposer_of(open_workspace(workspace).settings, proposer)
    with screen.progress_shown(quiet):
        return flow(workspace, *asked, proposer=named)


def _prepared(workspace: Path) -> Path:
    """The workspace's folder, once its recipe is read, and Prefect is told where to record and answers.

    Prefect's own server takes seconds to start: a mistake in the recipe is told before. Raises BadRecipe, BadDataFile,
    SchedulerFailed.
    """
    folder = record_in(workspace)
    from flows.services.gate_plans import expect_possible
    from flows.wiring import open_workspace

    expect_possible(open_workspace(folder))
    from flows.services.scheduler import reach_scheduler, start_scheduler

    reach_scheduler()
    start_scheduler(folder)
    return folder


def record_in(workspace: Path) -> Path:
    """The workspace's folder. Tells Prefect to record there where PREFECT_API_URL names no server.

    That is done by the server of a `sealed ui` that runs, else by one of this run's own. To be called before Prefect is
    imported: it reads its settings then.
    """
    from flows.services.ui.addresses import join_scheduler
    from flows.wiring import open_workspace

    folder = open_workspace(workspace).settings.workspace
    join_scheduler(folder)
    for name, value in (*QUIET, ("PREFECT_HOME", str(folder / "prefect"))):
        os.environ.setdefault(name, value)
    return folder


def show_outcome(outcome: RunOutcome) -> None:
    """A run's end on the screen: its figures, then its sentence."""
    if outcome.figures:
        rows = [(figure.name.replace("_", " "), screen.points(figure.value)) for figure in outcome.figures]
        screen.table(f"Run {outcome.run}: {outcome.verdict}", ("measured", "share"), rows)
    if outcome.bisection:
        show_bisection(outcome.bisection)
    if outcome.refused_documents:
        screen.say(f"quarantined: {counted(outcome.refused_documents, 'document')}. See `sealed documents`.")
    if outcome.updated_documents:
        screen.say(
            f"updated from their files: the questions of {counted(outcome.updated_documents, 'known document')}."
        )
    screen.say(f"{outcome.ended}: {outcome.sentence}")


def show_bisection(log: Bisection) -> None:
    """What was tried after the run had failed its gates, and the documents that are quarantined for it."""
    from gates import bisect_rows

    rows = [(one.documents, one.share, one.verdict, one.sentence) for one in bisect_rows.tried(log, ())]
    screen.table("Tried after the run failed", ("documents", "share of the change", "verdict", "finding"), rows)
    screen.say(bisect_rows.conclusion(log))
    for one in bisect_rows.culprits(log):
        screen.say(f"quarantined: {one.documents}: {one.sentence}")
