"""Shows a night's report in the Prefect UI as artifacts: the summary, and the retention matrix as a table."""

from flows.shift import Shift
from flows.steps.reporting import SUMMARY, report_folder
from pipeline.types import GateReport, Night


def publish(shift: Shift, night: Night, report: GateReport) -> None:
    """Creates the run's artifacts: the report in Markdown and the gates as a table."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    summary = (report_folder(shift.house, night) / SUMMARY).read_text(encoding="utf-8")
    create_markdown_artifact(key="release-report", markdown=summary, description=f"Night {night.number}")
    rows = [{"gate": r.gate, "verdict": str(r.verdict), "finding": r.sentence} for r in report.results]
    create_table_artifact(key="gates", table=rows, description=f"Night {night.number}: {report.verdict}")
