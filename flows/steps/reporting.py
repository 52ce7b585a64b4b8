"""Writes the night's report for people: HTML and pictures in the workspace, later beside the adapter in MLflow."""

from pathlib import Path

from flows.wiring import House
from gates.evidence import Evidence
from pipeline.types import GateReport, Night
from registry.store import documents, self_edits


def report_folder(house: House, night: Night) -> Path:
    """Where the report of a night lies."""
    return house.settings.reports / f"night-{night.number}"


def write_night_report(house: House, night: Night, report: GateReport, evidence: Evidence) -> Path:
    """Writes report.html, its plots and summary.md. Returns the folder."""
    from gates.report import write_report

    return write_report(
        report,
        evidence,
        documents=documents.of(house.store, night.documents),
        self_edits=self_edits.of_night(house.store, night.number),
        title=f"Night {night.number}",
        out=report_folder(house, night),
    )
