"""What the gates of a workspace can see with its suites and its recipe, before anything trains."""

from collections.abc import Sequence

from flows.services.eval_sets import earlier_eval_sets
from flows.wiring import Workspace
from gates.catalogue import checks
from gates.planning import GatesPlan, Wish, impossible, plan, too_small
from pipeline.errors import BadRecipe
from pipeline.recipe import line_of
from pipeline.types import GateReport, Run


def expect_possible(workspace: Workspace) -> None:
    """Raises BadRecipe, with the line, for a policy by which no update can pass: nothing should train for it."""
    policy, file = workspace.recipe.policy, workspace.settings.recipe_file
    _expect_known_gates(workspace)
    found = too_small(workspace.recipe.documents.per_run, policy)
    if found := found or impossible(workspace.suites, policy, earlier_eval_sets(workspace)):
        raise BadRecipe(f"{file}{line_of(file, found.place)}: {found.place}: {found.sentence}.")


def _expect_known_gates(workspace: Workspace) -> None:
    """Raises BadRecipe, with the line, where the policy requires a gate that is not there."""
    file = workspace.settings.recipe_file
    try:
        checks(workspace.recipe.policy)
    except BadRecipe as error:
        raise BadRecipe(f"{file}{line_of(file, 'policy.required')}: {error}") from error


def plan_gates(workspace: Workspace, wish: Wish) -> GatesPlan:
    """The plan for the workspace as it is now; how many answers change is what its newest report measured.

    Raises BadRecipe, BadDataFile.
    """
    _expect_known_gates(workspace)
    return plan(
        workspace.suites, workspace.recipe.policy, earlier_eval_sets(workspace), _newest_report(workspace), wish
    )


def _newest_report(workspace: Workspace) -> GateReport | None:
    found = telling_report(workspace.ledger.runs.listed())
    return workspace.ledger.reports.get(found) if found else None


def telling_report(runs: Sequence[Run]) -> str | None:
    """The digest of the newest report of a run that left a candidate, else of any; `runs` are in order.

    What a refused run changed is no measure of the next.
    """
    left = [run.report for run in runs if run.report is not None and run.release is not None]
    reported = left or [run.report for run in runs if run.report is not None]
    return reported[-1] if reported else None
