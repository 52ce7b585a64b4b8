"""Decides what an update trains on: the run's examples and what is rehearsed beside them. Pure; knows no model."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TypeVar

from pipeline.digests import digest_of
from pipeline.errors import BadInput
from pipeline.leakage import without_leaks
from pipeline.recipe import Recipe
from pipeline.self_edits.directives import Directed
from pipeline.types import Document, Example, ModelRef, Role, SelfEdit, Update, UpdatePlan
from pipeline.updates.corrections import without_replaced

_Item = TypeVar("_Item")


def plan_update(
    parent: ModelRef,
    run: Sequence[SelfEdit],
    rehearsal: Sequence[Example],
    recipe: Recipe,
    directed: Sequence[Directed] = (),
    documents: Sequence[Document] = (),
) -> UpdatePlan:
    """The run's examples, then the rehearsal, each sequence once, in an order the recipe's seed decides.

    `directed`: where notes choose their settings, what is trained on of each document, in place of the examples that
    stand in the notes. What a correction among the run's `documents` replaces is not learned beside it. Raises
    BadInput where the run has no example: rehearsal alone teaches nothing.
    """
    lessons = _lessons(directed or without_replaced(run, documents))
    return _plan("examples", parent, run, lessons, rehearsal, recipe, directed)


def plan_rebuild(
    base: ModelRef,
    ledger: Sequence[SelfEdit],
    rehearsal: Sequence[Example],
    recipe: Recipe,
    never: frozenset[str],
    documents: Sequence[Document],
    directed: Sequence[Directed] = (),
) -> UpdatePlan:
    """The stored notes of the whole ledger and the rehearsal, for an adapter that starts from the base model.

    As in replay, an example is left out that asks what is examined by now (`never`, keys of `pipeline.leakage`), or
    that states an answer which a correction among the `documents` replaced: learned side by side, chance would decide
    which one is answered. Raises BadInput as `plan_update` does.
    """
    taught = without_leaks(_lessons(directed or without_replaced(ledger, documents)), never)
    return _plan("rebuilt from", ModelRef(base=base.base), ledger, taught, rehearsal, recipe, directed)


def _lessons(sources: Sequence[Directed] | Sequence[SelfEdit]) -> list[Example]:
    return [replace(example, role=Role.NEW) for source in sources for example in source.examples]


def _plan(
    kind: str,
    parent: ModelRef,
    notes: Sequence[SelfEdit],
    lessons: Sequence[Example],
    rehearsal: Sequence[Example],
    recipe: Recipe,
    directed: Sequence[Directed],
) -> UpdatePlan:
    """`kind` stands in the digest: a rebuild weighs the same examples otherwise than a run does."""
    if not lessons:
        raise BadInput("the run's self-edits hold no example to learn. Check self_edits.styles in the recipe.")
    examples = sorted(once([*lessons, *rehearsal]), key=lambda example: example.id)
    random.Random(recipe.seed).shuffle(examples)
    update = Update(
        parent=parent,
        self_edits=tuple(edit.id for edit in notes),
        examples_digest=digest_of(kind, [[example.id, example.role, example.corrects] for example in examples]),
        recipe=recipe.digest,
        seed=recipe.seed,
        followed=tuple(one.followed for one in directed),
    )
    return UpdatePlan(update=update, examples=tuple(examples))


def evenly(groups: Sequence[Sequence[_Item]], limit: int, seed: int) -> list[_Item]:
    """At most `limit` items, one of each group in turn; which groups and items come first is drawn by the seed."""
    draw = random.Random(seed)
    shuffled = [draw.sample(group, len(group)) for group in groups]
    draw.shuffle(shuffled)
    return in_turn(shuffled)[:limit]


def in_turn(groups: Sequence[Sequence[_Item]]) -> list[_Item]:
    """The first of each group, then the second of each that has one, and so on."""
    return [item for item in chain.from_iterable(zip_longest(*groups)) if item is not None]


def once(examples: Iterable[Example]) -> list[Example]:
    """Each sequence once; the first one's role stays."""
    found: dict[str, Example] = {}
    for example in examples:
        found.setdefault(example.id, example)
    return list(found.values())
