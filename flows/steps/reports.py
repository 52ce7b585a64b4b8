"""Writes the run's report for people: HTML, pictures and a summary, in the workspace and later beside the adapter."""

from pathlib import Path

from flows.wiring import Workspace
from gates.evidence import Evidence
from pipeline.files import write_text
from pipeline.types import GateReport, Run, Verdict

REPORT, SUMMARY = "report.html", "summary.md"


def report_folder(workspace: Workspace, run: Run) -> Path:
    """Where the report of a run lies."""
    return workspace.settings.reports / f"run-{run.number}"


def write_run_report(workspace: Workspace, run: Run, report: GateReport, evidence: Evidence) -> Path:
    """Writes report.html, its plots and summary.md. Returns the folder."""
    from gates.plots import write_plots
    from gates.report import write_report
    from gates.summary import markdown

    folder = report_folder(workspace, run)
    # The number that a passing candidate will get: nobody else gives numbers while this run holds its lease.
    number = run.release or workspace.ledger.releases.listed()[-1].number + 1
    write_report(report, evidence, folder / REPORT, release=number if report.verdict is Verdict.PASS else None)
    write_plots(evidence, folder)
    write_text(folder / SUMMARY, markdown(report, evidence))
    return folder
