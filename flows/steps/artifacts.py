"""Shows a run in the Prefect UI as artifacts: how it ended, and where it was judged the report and its gates."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flows.outcome import RunOutcome
from flows.run_context import RunContext
from flows.steps.reports import SUMMARY, report_folder
from pipeline.types import GateReport, Run

log = logging.getLogger("sealed")


def publish(context: RunContext, run: Run, report: GateReport) -> None:
    """Creates the artifacts of a judged run: the report in Markdown and the gates as a table."""
    with _only_shown(f"the report of run {run.number}"):
        _draw(context, run, report)


def publish_outcome(outcome: RunOutcome) -> None:
    """Creates the artifact that every run leaves: how it ended, in its sentence."""
    from prefect.artifacts import create_markdown_artifact

    with _only_shown("how the run ended"):
        create_markdown_artifact(
            key="outcome", markdown=f"**{outcome.ended}**: {outcome.sentence}", description=outcome.state
        )


@contextmanager
def _only_shown(what: str) -> Iterator[None]:
    """Prefect only shows: where it cannot, the run goes on, and the ledger and the workspace hold it all the same."""
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        yield
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        log.warning("%s is not in Prefect: %s", what, error)


def _draw(context: RunContext, run: Run, report: GateReport) -> None:
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    summary = (report_folder(context.workspace, run) / SUMMARY).read_text(encoding="utf-8")
    create_markdown_artifact(key="release-report", markdown=summary, description=f"Run {run.number}")
    rows = [{"gate": r.gate, "verdict": str(r.verdict), "finding": r.sentence} for r in report.results]
    create_table_artifact(key="gates", table=rows, description=f"Run {run.number}: {report.verdict}")
