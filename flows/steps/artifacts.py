"""Shows a run's report in the Prefect UI as artifacts: the summary, and the retention matrix as a table."""

import logging

from flows.run_context import RunContext
from flows.steps.reports import SUMMARY, report_folder
from pipeline.types import GateReport, Run

log = logging.getLogger("sealed")


def publish(context: RunContext, run: Run, report: GateReport) -> None:
    """Creates the run's artifacts: the report in Markdown and the gates as a table.

    Prefect only shows: where it cannot, the run goes on, and the report lies in the workspace all the same.
    """
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        _draw(context, run, report)
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        log.warning("the artifacts of run %s are not in Prefect: %s", run.number, error)


def _draw(context: RunContext, run: Run, report: GateReport) -> None:
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    summary = (report_folder(context.workspace, run) / SUMMARY).read_text(encoding="utf-8")
    create_markdown_artifact(key="release-report", markdown=summary, description=f"Run {run.number}")
    rows = [{"gate": r.gate, "verdict": str(r.verdict), "finding": r.sentence} for r in report.results]
    create_table_artifact(key="gates", table=rows, description=f"Run {run.number}: {report.verdict}")
