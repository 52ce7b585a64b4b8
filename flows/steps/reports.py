"""Writes the night's report for people: HTML, pictures and a summary, in the workspace and later beside the adapter."""

from pathlib import Path

from flows.wiring import House
from gates.evidence import Evidence
from pipeline.types import GateReport, Night, Verdict
from registry.store import releases

REPORT, SUMMARY = "report.html", "summary.md"


def report_folder(house: House, night: Night) -> Path:
    """Where the report of a night lies."""
    return house.settings.reports / f"night-{night.number}"


def write_night_report(house: House, night: Night, report: GateReport, evidence: Evidence) -> Path:
    """Writes report.html, its plots and summary.md. Returns the folder."""
    from gates.report import write_report
    from gates.summary import markdown, write_plots

    folder = report_folder(house, night)
    # The number that a passing candidate will get: nobody else gives numbers while this night holds its lease.
    number = night.release or releases.listed(house.store)[-1].number + 1
    write_report(report, evidence, folder / REPORT, release=number if report.verdict is Verdict.PASS else None)
    write_plots(report, evidence, folder)
    (folder / SUMMARY).write_text(markdown(report, evidence), encoding="utf-8")
    return folder
