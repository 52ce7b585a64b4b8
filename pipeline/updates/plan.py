"""Decides what an update trains on: the self-edits' examples and the rehearsal beside them. Pure; knows no model."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, zip_longest
from typing import TypeVar

from pipeline.digests import digest_of
from pipeline.errors import BadInput
from pipeline.leakage import UNGUARDED, TrainingGuard, without_leaks
from pipeline.recipe import Recipe
from pipeline.self_edits import Directed, follow_directives
from pipeline.types import Document, Example, ModelRef, Role, SelfEdit, Update, UpdatePlan
from pipeline.updates.corrections import in_order, without_replaced

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class UpdateInput:
    """What an update learns, and what it builds on.

    `edits` are the self-edits to learn and `documents` those of this run, in its order. `earlier_edits` and
    `earlier_runs` (each run's documents) are what production has learned, oldest first. A rebuild learns the self-edits
    of all runs: it has `edits` and `earlier_runs` alone.
    """

    edits: Sequence[SelfEdit] = ()
    documents: Sequence[Document] = ()
    earlier_edits: Sequence[SelfEdit] = ()
    earlier_runs: Sequence[Sequence[Document]] = ()

    @cached_property
    def all_documents(self) -> tuple[Document, ...]:
        """The documents of all runs, oldest first, each run's corrections after its other documents."""
        return in_order([*self.earlier_runs, self.documents])

    @cached_property
    def lasting_edits(self) -> tuple[SelfEdit, ...]:
        """`edits` without answers that a correction among the documents replaced."""
        return without_replaced(self.edits, self.all_documents)

    @cached_property
    def replayable_edits(self) -> tuple[SelfEdit, ...]:
        """`earlier_edits` without answers that a correction, also this run's, replaced."""
        return without_replaced(self.earlier_edits, self.all_documents, self.edits)


def plan_update(
    parent: ModelRef,
    learned: UpdateInput,
    rehearsal: Sequence[Example],
    recipe: Recipe,
    *,
    guard: TrainingGuard = UNGUARDED,
    fits: Callable[[Example], bool] = lambda example: True,
) -> UpdatePlan:
    """The run's examples and the rehearsal, each sequence once, in an order that the recipe's seed decides.

    Directives and tools are followed as the recipe says; what tools make asks nothing that `guard` holds out, and
    `fits` accepts it. Raises BadInput where the run has no example to learn, and BadRecipe for an unknown tool.
    """
    directed = follow_directives(
        learned.documents, learned.lasting_edits, recipe.directives, seed=recipe.seed, guard=guard, fits=fits
    )
    return _plan("examples", parent, learned, _new(directed or learned.lasting_edits), rehearsal, recipe, directed)


def plan_rebuild(
    base: ModelRef,
    learned: UpdateInput,
    rehearsal: Sequence[Example],
    recipe: Recipe,
    *,
    guard: TrainingGuard = UNGUARDED,
    fits: Callable[[Example], bool] = lambda example: True,
) -> UpdatePlan:
    """The stored self-edits of all runs and the rehearsal, for an adapter that starts from the base model.

    As `plan_update`, but examples that ask what is held out by now are left out as well.
    """
    directed = follow_directives(
        learned.all_documents, learned.lasting_edits, recipe.directives, seed=recipe.seed, guard=guard, fits=fits
    )
    new = without_leaks(_new(directed or learned.lasting_edits), guard.questions)
    return _plan("rebuilt from", ModelRef(base=base.base), learned, new, rehearsal, recipe, directed)


def _new(sources: Sequence[Directed] | Sequence[SelfEdit]) -> list[Example]:
    return [replace(example, role=Role.NEW) for source in sources for example in source.examples]


def _plan(
    kind: str,
    parent: ModelRef,
    learned: UpdateInput,
    new: Sequence[Example],
    rehearsal: Sequence[Example],
    recipe: Recipe,
    directed: Sequence[Directed],
) -> UpdatePlan:
    """`kind` enters the digest: a rebuild weighs the same examples otherwise than a run does."""
    if not new:
        raise BadInput("the run's self-edits hold no example to learn. Check self_edits.styles in the recipe.")
    examples = sorted(once([*new, *rehearsal]), key=lambda example: example.id)
    random.Random(recipe.seed).shuffle(examples)
    update = Update(
        parent=parent,
        self_edits=tuple(edit.id for edit in learned.edits),
        examples_digest=digest_of(kind, [[example.id, example.role, example.corrects] for example in examples]),
        recipe=recipe.digest,
        seed=recipe.seed,
        followed=tuple(one.followed for one in directed),
    )
    return UpdatePlan(update=update, examples=tuple(examples))


def evenly(groups: Sequence[Sequence[_Item]], limit: int, seed: int) -> list[_Item]:
    """At most `limit` items, one of each group in turn; the seed decides which groups and items come first."""
    draw = random.Random(seed)
    shuffled = [draw.sample(group, len(group)) for group in groups]
    draw.shuffle(shuffled)
    return in_turn(shuffled)[:limit]


def in_turn(groups: Sequence[Sequence[_Item]]) -> list[_Item]:
    """The first of each group, then the second of each that has one, and so on."""
    return [item for item in chain.from_iterable(zip_longest(*groups)) if item is not None]


def once(examples: Iterable[Example]) -> list[Example]:
    """Each sequence once; of equal ones the first is kept, with its role."""
    found: dict[str, Example] = {}
    for example in examples:
        found.setdefault(example.id, example)
    return list(found.values())
