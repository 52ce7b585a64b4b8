"""Shows in the Prefect UI, as artifacts, how a run ended, what its gates found, and how a canary does."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectHTTPStatusError

from flows.outcome import RunOutcome
from gates.validation.rates import Rate
from pipeline.types import GateReport
from registry import Canary

log = logging.getLogger("sealed")

# What a Prefect that does not answer, or cannot be started, raises.
UNREACHABLE = (httpx.TransportError, PrefectHTTPStatusError, RuntimeError)


def publish_report(run: int, report: GateReport, summary: Path) -> None:
    """Creates the artifacts of an evaluated run: the report's summary (a Markdown file), and the gates as a table."""
    with _optional(f"the report of run {run}"):
        text = summary.read_text(encoding="utf-8")
        create_markdown_artifact(key="release-report", markdown=text, description=f"Run {run}")
        rows = [{"gate": r.gate, "verdict": str(r.verdict), "finding": r.sentence} for r in report.results]
        create_table_artifact(key="gates", table=rows, description=f"Run {run}: {report.verdict}")


def publish_outcome(outcome: RunOutcome) -> None:
    """Creates the artifact that every run leaves: how it ended, in its sentence."""
    with _optional("how the run ended"):
        text = f"**{outcome.ended}**: {outcome.sentence}"
        create_markdown_artifact(key="outcome", markdown=text, description=outcome.state)


def publish_validation(release: int, found: Sequence[Rate]) -> None:
    """Creates the artifact of a trial of the gates: of each kind of adapter, how many had which verdict."""
    with _optional("what the gates did in their trial"):
        rows = [
            {"planted": one.kind, "PASS": one.passed, "FAIL": one.failed, "INCONCLUSIVE": one.inconclusive}
            for one in found
        ]
        create_table_artifact(key="gates-validation", table=rows, description=f"The gates on release {release}")


def publish_canary(canary: Canary) -> None:
    """Creates the artifact of a canary's newest decision: its share, the evidence as bars, and its figures."""
    with _optional("how the canary does"):
        title = f"Release {canary.release}: {canary.action}"
        create_markdown_artifact(key="canary", markdown=canary_markdown(canary), description=title)


def canary_markdown(canary: Canary) -> str:
    """The newest decision on a canary, as a page."""
    figures, alarm = {figure.name: figure.value for figure in canary.figures}, 1 / canary.policy.false_rollback
    bars = [
        f"share of the requests  {_bar(canary.share)} {100 * canary.share:g} %",
        f"evidence for worse     {_bar(_log_share(figures.get('e_worse', 1.0), alarm))} alarm at {alarm:.0f}",
    ]
    if canary.state.step < len(canary.policy.risks):
        needed = 1 / canary.policy.risks[canary.state.step]
        within = _bar(_log_share(figures.get("e_within_margin", 1.0), needed))
        bars.append(f"for within the margin  {within} {needed:.0f} for a larger share")
    rows = "".join(f"| {name.replace('_', ' ')} | {value:,.6g} |\n" for name, value in figures.items())
    head = f"**{canary.action}** release {canary.release} (before it: {canary.stable})\n\n{canary.sentence}"
    return "\n".join([head, "", "```text", *bars, "```", "", "| | |\n|---|---|", rows])


def _log_share(value: float, whole: float) -> float:
    return math.log(max(value, 1.0)) / math.log(whole)


def _bar(share: float, width: int = 20) -> str:
    full = round(width * min(share, 1.0))
    return "█" * full + "░" * (width - full)


@contextmanager
def _optional(what: str) -> Iterator[None]:
    """Prefect only shows: where it cannot, the run goes on, and the ledger and the workspace hold it all the same."""
    try:
        yield
    except UNREACHABLE as error:
        log.warning("%s is not in Prefect: %s", what, error)
