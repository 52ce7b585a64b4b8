"""Writes a gate report as people read it: report.html, its plots and summary.md."""

from pathlib import Path

from flows.wiring import REPORT, SUMMARY
from gates import plots, summary
from gates.account import NO_ACCOUNT, RunAccount
from gates.evidence import Evidence
from gates.report import write_report
from pipeline.files import write_text
from pipeline.types import GateReport


def write_pages(
    report: GateReport,
    evidence: Evidence,
    folder: Path,
    account: RunAccount = NO_ACCOUNT,
    *,
    release: int | None = None,
) -> Path:
    """Writes them into `folder`, which is made, and returns the page. `release`: see `write_report`."""
    page = write_report(report, evidence, folder / REPORT, account, release=release)
    plots.write_plots(evidence, folder)
    write_text(folder / SUMMARY, summary.markdown(report, evidence, account))
    return page
