"""`sealed releases` and `sealed show`: the releases, and one of them with its gates, approvals and digests."""

from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption
from pipeline.types import Approval, GateReport, Release, ReleaseState


def listed(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """List the releases, oldest first."""
    from flows.wiring import open_workspace

    known = open_workspace(workspace).ledger.releases.listed()
    if json:
        screen.as_json(known)
        return
    rows = [
        (r.number, r.state, r.parent, r.mlflow_version, screen.short(r.manifest), screen.when(r.created), r.reason)
        for r in known
    ]
    columns = ("release", "state", "parent", "MLflow version", "manifest", "made", "reason")
    screen.table("Releases (0 is the base model)", columns, rows)


def show(
    number: Annotated[int, typer.Argument(help="The release's number.", min=0)],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Show a release: what its gates found, who decided, and what to type next."""
    from flows.wiring import open_workspace

    parts = open_workspace(workspace)
    ledger = parts.ledger
    release = ledger.releases.get(number)
    report = ledger.reports.get(release.report) if release.report else None
    approvals = ledger.releases.approvals(number)
    if json:
        screen.as_json({"release": release, "report": report, "approvals": approvals})
        return
    _show_release(release)
    if report:
        _show_report(report)
    _show_approvals(approvals)
    for run in ledger.runs.listed():
        if run.release == number:
            screen.say(f"Report: {parts.settings.reports / f'run-{run.number}' / 'report.html'}")
    if release.state is ReleaseState.CANDIDATE:
        screen.say(f"Next: `sealed approve {number} --as NAME --note ...`, or `sealed reject {number} --reason ...`")


def _show_release(release: Release) -> None:
    screen.table(
        f"Release {release.number}: {release.state}",
        ("what", "value"),
        [
            ("parent", release.parent),
            ("base", release.model.base),
            ("adapter", release.model.adapter),
            ("manifest", release.manifest),
            ("MLflow version", release.mlflow_version),
            ("proposed by", release.proposer),
            ("made", screen.when(release.created)),
            ("reason", release.reason),
        ],
    )


def _show_report(report: GateReport) -> None:
    rows = [(result.gate, result.verdict, result.sentence) for result in report.results]
    screen.table(f"Gates: {report.verdict}", ("gate", "verdict", "finding"), rows)


def _show_approvals(approvals: tuple[Approval, ...]) -> None:
    if approvals:
        rows = [(screen.when(a.at), a.actor, "approved" if a.approved else "rejected", a.note) for a in approvals]
        screen.table("Decisions", ("when", "who", "decision", "note"), rows)
