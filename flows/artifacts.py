"""Shows a run in the Prefect UI as artifacts: how it ended, and where it was evaluated the report and its gates."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectHTTPStatusError

from flows.outcome import RunOutcome
from pipeline.types import GateReport

log = logging.getLogger("sealed")


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


@contextmanager
def _optional(what: str) -> Iterator[None]:
    """Prefect only shows: where it cannot, the run goes on, and the ledger and the workspace hold it all the same."""
    try:
        yield
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        log.warning("%s is not in Prefect: %s", what, error)
