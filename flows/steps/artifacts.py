"""Shows a night's report in the Prefect UI as artifacts: the summary, and the retention matrix as a table."""

import logging

from flows.run_context import Shift
from flows.steps.reports import SUMMARY, report_folder
from pipeline.types import GateReport, Night

log = logging.getLogger("sealed")


def publish(shift: Shift, night: Night, report: GateReport) -> None:
    """Creates the run's artifacts: the report in Markdown and the gates as a table.

    Prefect only shows: where it cannot, the night goes on, and the report lies in the workspace all the same.
    """
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        _draw(shift, night, report)
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        log.warning("the artifacts of night %s are not in Prefect: %s", night.number, error)


def _draw(shift: Shift, night: Night, report: GateReport) -> None:
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    summary = (report_folder(shift.house, night) / SUMMARY).read_text(encoding="utf-8")
    create_markdown_artifact(key="release-report", markdown=summary, description=f"Night {night.number}")
    rows = [{"gate": r.gate, "verdict": str(r.verdict), "finding": r.sentence} for r in report.results]
    create_table_artifact(key="gates", table=rows, description=f"Night {night.number}: {report.verdict}")
