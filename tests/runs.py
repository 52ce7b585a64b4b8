"""Nightly runs as their flow begins them."""

from flows.outcome import NOTHING_INGESTED
from flows.run_context import RunContext
from flows.steps.ingestion import open_nightly_run
from pipeline.recipe import PolicyRules, Recipe
from pipeline.types import IngestCounts, Run

# By this recipe documents need no questions.
UNEXAMINED = Recipe(policy=PolicyRules(required=("integrity",)))


def begun(context: RunContext, taken: IngestCounts = NOTHING_INGESTED, proposer: str = "sealed") -> Run:
    """The run that begins, or goes on, on the documents that wait."""
    run = open_nightly_run(context, proposer, taken)
    assert isinstance(run, Run), run
    return run
