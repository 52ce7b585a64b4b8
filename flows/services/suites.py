"""The standing suites of a workspace: made by the base model itself, and the data of standard tasks fetched."""

from collections.abc import Iterator
from dataclasses import dataclass

from flows.services.gate_plans import plan_gates
from flows.wiring import Workspace
from gates import standing_suites
from gates.planning import GatesPlan, Wish
from gates.standard_tasks import fetch
from gates.standing_suites import Built, KeptEngine, SuiteBuilder
from pipeline.grading import normalise
from pipeline.leakage import held_out_keys, sentences
from pipeline.types import EvalItem
from pipeline.updates import read_rehearsal_prompts


@dataclass(frozen=True, kw_only=True)
class BuiltSuites:
    """The suites after a build, and what the gates can see with them."""

    built: Built
    plan: GatesPlan


def build_suites(workspace: Workspace) -> BuiltSuites:
    """Lets the base model make the kinds of suites that the workspace has none of; the rest stays as it is.

    Holds the lease, so that no run starts with half of them. Started again it goes on from what was answered.
    Raises LockedError while a run is at work, BadDataFile, BadRecipe, ModelMissing, ModelChanged.
    """
    settings = workspace.settings
    with workspace.ledger.session():
        builder = SuiteBuilder(
            kept=KeptEngine(workspace.engine, settings.cache / "standing_suites"),
            policy=workspace.recipe.policy,
            taken=frozenset(_trained_on(workspace)),
        )
        built = standing_suites.build_suites(builder, settings.suites)
    return BuiltSuites(built=built, plan=plan_gates(workspace, Wish()))


def fetch_tasks(workspace: Workspace) -> tuple[str, ...]:
    """Brings the rows of the recipe's standard tasks into the datasets cache; returns the names of the tasks.

    Raises BadRecipe, DownloadFailed.
    """
    rules = workspace.recipe.suites
    for name in rules.tasks:
        fetch(name)
    return rules.tasks


def _trained_on(workspace: Workspace) -> Iterator[str]:
    """Keys of what is rehearsed or was learned, and of the questions of documents."""
    ledger, prompts = workspace.ledger, read_rehearsal_prompts(workspace.settings.rehearsal_prompts)
    asked = [one.prompt for one in prompts.prompts]
    asked += [example.prompt for edit in ledger.self_edits.learned() for example in edit.examples if example.prompt]
    yield from held_out_keys(EvalItem(question=question, answers=()) for question in asked)
    documents = [record.document for record in ledger.documents.listed() if record.document]
    yield from held_out_keys(item for document in documents for item in document.eval_items)
    for text in prompts.texts:
        yield from filter(None, map(normalise, sentences(text)))
