"""What the gates of a workspace can see with its suites and its recipe, before anything trains."""

from collections.abc import Iterable, Sequence

from flows.wiring import Workspace
from gates.catalogue import checks
from gates.draws import counted_items
from gates.evidence import ReleaseEvalSet, held_out_items
from gates.planning import GatesPlan, Wish, impossible, plan
from pipeline.errors import BadRecipe
from pipeline.recipe import PolicyRules, line_of
from pipeline.types import Document, GateReport


def expect_possible(workspace: Workspace) -> None:
    """Raises BadRecipe, with the line, for a policy by which no update can pass: nothing should train for it."""
    policy, file = workspace.recipe.policy, workspace.settings.recipe_file
    try:
        checks(policy)
    except BadRecipe as error:
        raise BadRecipe(f"{file}{line_of(file, 'policy.required')}: {error}") from error
    if found := impossible(workspace.suites, policy, earlier_eval_sets(workspace)):
        raise BadRecipe(f"{file}{line_of(file, found.place)}: {found.place}: {found.sentence}.")


def nothing_to_ask(workspace: Workspace, policy: PolicyRules) -> tuple[str, ...]:
    """The required gates that a suite decides, and for which the workspace has none."""
    suites = workspace.suites
    known = {
        "retention": suites.retention or earlier_eval_sets(workspace),
        "regression": suites.regression,
        "safety": suites.safety,
        "perplexity": suites.perplexity,
        "drift": suites.perplexity,
        "triggers": policy.triggers.max_items and suites.retention,
    }
    return tuple(gate for gate, found in known.items() if gate in policy.required and not found)


def foreseen(workspace: Workspace, policy: PolicyRules, documents: Sequence[Document]) -> tuple[str, ...]:
    """Why a run on these documents cannot pass whatever it learns, and what to do, in sentences. Empty: it may."""
    said = list[str]()
    if missing := nothing_to_ask(workspace, policy):
        said.append(
            f"{', '.join(missing)}: there are no suites to ask, so this run cannot pass. "
            f"Stop it, and run `sealed suites build -w {workspace.settings.workspace}` first."
        )
    rules = policy.acquisition
    items = counted_items(documents, rules.max_per_document)
    asked = sum(bool(held_out_items([one])) for one in documents)
    if "acquisition" in policy.required and (len(items) < rules.min_items or asked < rules.min_documents):
        said.append(
            f"acquisition: {asked} of {len(documents)} documents have test questions, {len(items)} in all; at least "
            f"{rules.min_items} in {rules.min_documents} documents are asked for, so this run cannot pass. Give "
            "them questions (docs/operating.md, Documents), let more wait for one run, or ask for fewer in the recipe."
        )
    return tuple(said)


def plan_gates(workspace: Workspace, wish: Wish) -> GatesPlan:
    """The plan for the workspace as it is now; how many answers change is what its newest report measured.

    Raises BadRecipe, BadDataFile.
    """
    return plan(
        workspace.suites, workspace.recipe.policy, earlier_eval_sets(workspace), _newest_report(workspace), wish
    )


def earlier_eval_sets(workspace: Workspace) -> tuple[ReleaseEvalSet, ...]:
    """The test items of what each release learned, as far as it is kept."""
    return eval_sets_of(workspace.ledger.documents.learned())


def eval_sets_of(learned: Iterable[tuple[int, tuple[Document, ...]]]) -> tuple[ReleaseEvalSet, ...]:
    """The test items of the documents `learned`, by release."""
    return tuple(ReleaseEvalSet(release=number, eval_items=held_out_items(documents)) for number, documents in learned)


def _newest_report(workspace: Workspace) -> GateReport | None:
    reported = [run.report for run in workspace.ledger.runs.listed() if run.report is not None]
    return workspace.ledger.reports.get(reported[-1]) if reported else None
