"""What the gates of a workspace can see with its suites and its recipe, before anything trains."""

from flows.wiring import Workspace
from gates.catalogue import checks
from gates.evidence import ReleaseEvalSet, held_out_items
from gates.planning import GatesPlan, Wish, impossible, plan
from pipeline.errors import BadRecipe
from pipeline.recipe import line_of
from pipeline.types import GateReport


def expect_possible(workspace: Workspace) -> None:
    """Raises BadRecipe, with the line, for a policy by which no update can pass: nothing should train for it."""
    policy, file = workspace.recipe.policy, workspace.settings.recipe_file
    try:
        checks(policy)
    except BadRecipe as error:
        raise BadRecipe(f"{file}{line_of(file, 'policy.required')}: {error}") from error
    if found := impossible(workspace.suites, policy, earlier_eval_sets(workspace)):
        raise BadRecipe(f"{file}{line_of(file, found.place)}: {found.place}: {found.sentence}.")


def plan_gates(workspace: Workspace, wish: Wish) -> GatesPlan:
    """The plan for the workspace as it is now; how many answers change is what its newest report measured.

    Raises BadRecipe, BadDataFile.
    """
    return plan(
        workspace.suites, workspace.recipe.policy, earlier_eval_sets(workspace), _newest_report(workspace), wish
    )


def earlier_eval_sets(workspace: Workspace) -> tuple[ReleaseEvalSet, ...]:
    """The test items of what each release learned, as far as it is kept."""
    return tuple(
        ReleaseEvalSet(release=number, eval_items=held_out_items(learned))
        for number, learned in workspace.ledger.documents.learned()
    )


def _newest_report(workspace: Workspace) -> GateReport | None:
    reported = [run.report for run in workspace.ledger.runs.listed() if run.report is not None]
    return workspace.ledger.reports.get(reported[-1]) if reported else None
