"""The first run of a new workspace whose suites the model made itself: what its gates say.

Usage: python -m benchmarks.first_run --workspace FOLDER --model FOLDER [--documents FOLDER]

As a newcomer does it: `sealed init` around the model's folder alone, so that nothing is brought, `sealed suites build`,
`sealed update`. What is there already is not made again, so it goes on where it was killed.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import RESULTS, Measured, write_results
from flows.cli.runs import run_nightly
from flows.services.initialisation import init_workspace
from flows.services.suites import build_suites
from flows.wiring import Workspace, open_workspace
from pipeline.config import WORKSPACE_FILE
from pipeline.types import GateReport, Verdict

DOCUMENTS = Path(__file__).parents[1] / "flows" / "demo" / "documents" / "run-1"
_FIRST = 1
_SHOWN = ("items", "wrong_to_right", "right_to_wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--model", required=True, help="a model's folder: a packaged name would bring suites")
    parser.add_argument("--documents", type=Path, default=DOCUMENTS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    made = (options.workspace / WORKSPACE_FILE).exists()
    workspace = open_workspace(options.workspace) if made else init_workspace(
        options.workspace, options.model, actor="benchmark"
    )  # fmt: skip
    built = build_suites(workspace).built.suites
    if (report := _report(workspace)) is None:
        run_nightly(options.workspace, options.documents)
        report = _report(workspace)
    assert report is not None, "the first run ended without a report: see `sealed status`"
    items = Measured(name="items of suites that the model made", value=sum(one.items for one in built), unit="items")
    write_results("first_run", [items, *_figures(report)], options.out or RESULTS / "first-run.json")


def _report(workspace: Workspace) -> GateReport | None:
    """The first run's, as far as it has one."""
    runs = [one for one in workspace.ledger.runs.listed() if one.number == _FIRST]
    return workspace.ledger.reports.get(runs[0].report) if runs and runs[0].report else None


def _figures(report: GateReport) -> Iterator[Measured]:
    decided = report.verdict is not Verdict.INCONCLUSIVE
    yield Measured(
        name=f"the first run is decided: {report.verdict}",
        value=float(decided),
        unit="",
        goal="PASS or FAIL",
        met=decided,
    )
    for result in report.results:
        required = "" if result.required else ", informs"
        yield Measured(
            name=f"{result.gate}: {result.verdict}{required}", value=float(result.verdict is Verdict.PASS), unit=""
        )
        for figure in result.figures:
            if figure.name in _SHOWN:
                yield Measured(name=f"{result.gate}: {figure.name}", value=figure.value, unit="items")


if __name__ == "__main__":
    main()
