"""What a run would take of the documents that wait, or why none could pass. Imports nothing heavy."""

from flows.wiring import Workspace
from gates.batches import Batch, choose
from gates.suite import read_suites
from pipeline.recipe import Recipe
from pipeline.types import RunSize


def next_batch(workspace: Workspace, recipe: Recipe) -> Batch:
    """The documents that a run would take now, or why it could not pass whatever it learned, and what to do."""
    rules = recipe.documents
    size = RunSize(documents=rules.per_run, per_source=rules.per_source, trusted=frozenset(rules.trusted_sources))
    batch = choose(workspace.ledger.documents.queued(), size, recipe.policy)
    if batch == Batch() or not (missing := nothing_to_ask(workspace, recipe)):
        return batch
    build = f"`sealed suites build -w {workspace.settings.workspace}` makes them"
    return Batch(lacking=(f"{', '.join(missing)}: there are no suites to ask. {build}", *batch.lacking))


def nothing_to_ask(workspace: Workspace, recipe: Recipe) -> tuple[str, ...]:
    """The required gates that a suite decides, and for which the workspace has none. Reads no standard task."""
    suites, policy = read_suites(workspace.settings.suites, plain=recipe.suites.plain), recipe.policy
    known = {
        "retention": suites.retention,
        "regression": suites.regression or recipe.suites.tasks,
        "safety": suites.safety,
        "perplexity": suites.perplexity,
        "drift": suites.perplexity,
        "triggers": policy.triggers.max_items and suites.retention,
    }
    return tuple(gate for gate, found in known.items() if gate in policy.required and not found)
