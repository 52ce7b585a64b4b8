"""The trial of the gates themselves as a Prefect flow. `sealed gates validate` does it without Prefect."""

import logging
from pathlib import Path

from prefect import flow

from flows.artifacts import publish_validation
from flows.steps import gate_validation
from flows.steps.gate_validation import Validation, ValidationWish
from flows.wiring import open_workspace

log = logging.getLogger("sealed")


@flow(name="validate-gates", flow_run_name="validate-gates")
def validate_gates(workspace: Path, seeds: int = 3, draws: int = 10) -> Validation:
    """Judges adapters that should pass and adapters that should not; leaves the counts as an artifact."""
    found = gate_validation.validate_gates(open_workspace(workspace), ValidationWish(seeds=seeds, draws=draws))
    publish_validation(found.release, found.rates)
    return found
