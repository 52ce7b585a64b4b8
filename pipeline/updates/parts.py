"""The plan of a part of a run's documents: what training them alone takes, on the same rehearsal. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from pipeline.leakage import UNGUARDED, TrainingGuard
from pipeline.recipe import Recipe
from pipeline.types import Document, Example, Role, SelfEdit, UpdatePlan
from pipeline.updates.plan import UpdateInput, plan_update

# What is rehearsed with a document in its prompt.
_ABOUT_DOCUMENTS = frozenset({Role.READING, Role.WRITING})


def plan_part(
    whole: UpdatePlan,
    learned: UpdateInput,
    part: Collection[str],
    recipe: Recipe,
    *,
    guard: TrainingGuard = UNGUARDED,
    fits: Callable[[Example], bool] = lambda example: True,
) -> UpdatePlan:
    """As `plan_update` for the documents (ids) of the `part`, beside what the plan of the whole run rehearses.

    Drawing another rehearsal for each part would compare draws, and ask the models anew. Left out is what is rehearsed
    about the other documents: it holds their text. Raises BadInput where the part has no example to learn.
    """
    others = [one for one in learned.documents if one.id not in part]
    edits = [one for one in learned.edits if one.document not in part]
    rehearsal = [one for one in whole.examples if one.role is not Role.NEW and not _is_about(one, others, edits)]
    mine = replace(
        learned,
        documents=[one for one in learned.documents if one.id in part],
        edits=[one for one in learned.edits if one.document in part],
    )
    return plan_update(whole.update.parent, mine, rehearsal, recipe, guard=guard, fits=fits)


def _is_about(example: Example, documents: Sequence[Document], edits: Sequence[SelfEdit]) -> bool:
    if example.role not in _ABOUT_DOCUMENTS:
        return False
    asked = any(example.prompt == edit.prompt for edit in edits)
    return asked or any(document.body in example.prompt for document in documents)
