"""The build of standing suites as a Prefect flow. `sealed suites build` does it without Prefect."""

from pathlib import Path

from prefect import flow

from flows.services import suites
from flows.wiring import open_workspace


@flow(name="build-suites", flow_run_name="build suites")
def build_suites(workspace: Path) -> int:
    """Lets the base model make the suites that the workspace lacks. Returns how many items all suites hold."""
    return sum(one.items for one in suites.build_suites(open_workspace(workspace)).built.suites)
