"""Trains each candidate of a document as its own adapter, from the live one and many at once, and asks what it learned.

What is chosen is decided by `pipeline.self_edits.edit_sets`; nothing that is trained here outlives the question.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.inner_loop.evaluation import train_and_ask
from pipeline.leakage import TrainingGuard
from pipeline.recipe import Recipe
from pipeline.self_edits.directives import direct, directed_rules, directs
from pipeline.self_edits.edit_sets import choose, common, edit_sets_of, validation_items
from pipeline.training import TrainingJob
from pipeline.types import Checkpoint, Document, EditSet, EvalItem, Example, ModelRef, Selection, SelfEdit

# Adapters that are trained and then held until they are asked; a killed run loses at most these.
_TOGETHER = 16


@dataclass(frozen=True, kw_only=True)
class _Rival:
    """One candidate that is to be trained, and its document's validation questions."""

    candidate: EditSet
    group: TrainingJob
    eval_items: tuple[EvalItem, ...]


@dataclass(frozen=True, kw_only=True)
class _EvalContext:
    """What all trials of one run are made with."""

    base: BaseModel
    recipe: Recipe
    live: ModelRef
    adapter: Path | None
    never: frozenset[str]
    fits: Callable[[Example], bool]


def select_edit_sets(
    base: BaseModel,
    documents: Sequence[Document],
    edits: Sequence[SelfEdit],
    recipe: Recipe,
    *,
    live: ModelRef,
    adapter: Path | None,
    already: Container[str] = frozenset(),
    never: frozenset[str] = frozenset(),
    fits: Callable[[Example], bool] = lambda example: True,
    save: Callable[[tuple[Selection, ...]], None] = lambda selections: None,
) -> tuple[Selection, ...]:
    """For each document not `already` chosen for, by id, the candidate that its validation questions speak for.

    `edits` are the notes about all documents; `adapter` is where the `live` model's lies. `save` is called once a group
    of documents: a killed run that is started again ends with the same selections. Reports progress in documents. A
    document of whose notes nothing was kept has no candidate, and no choice. Raises as `train_many` does.
    """
    context = _EvalContext(base=base, recipe=recipe, live=live, adapter=adapter, never=never, fits=fits)
    notes: dict[str, list[SelfEdit]] = {}
    for edit in edits:
        notes.setdefault(edit.document, []).append(edit)
    ordered = sorted({document.id: document for document in documents}.values(), key=lambda document: document.id)
    chosen: list[Selection] = []
    done = 0
    for group in _groups(ordered, recipe.self_edits.edit_sets):
        done += len(group)
        if any(document.id in already for document in group):
            continue  # a group is saved at once
        trials = {document.id: _trials(context, document, notes.get(document.id, [])) for document in group}
        with progress.quiet():
            made = _choices(context, trials)
        save(made)
        chosen += made
        progress.report(done, len(ordered))
    return tuple(chosen)


def _groups(documents: Sequence[Document], candidates: int) -> Iterator[Sequence[Document]]:
    size = max(1, _TOGETHER // candidates)
    for first in range(0, len(documents), size):
        yield documents[first : first + size]


def _trials(context: _EvalContext, document: Document, notes: Sequence[SelfEdit]) -> tuple[_Rival, ...]:
    """The document's candidates that hold notes of their own, in the order of their numbers."""
    own, eval_items = (
        common(notes),
        tuple(eval_item for eval_item in validation_items(document) if context.fits(_prompt(eval_item))),
    )
    trials = [
        _trial(context, document, number, own, edits, eval_items)
        for number, edits in edit_sets_of(notes, context.recipe.self_edits.samples).items()
    ]
    return tuple(trial for trial in trials if trial.group.examples)


def _prompt(eval_item: EvalItem) -> Example:
    return Example(prompt=eval_item.question, completion="")


def _trial(
    context: _EvalContext,
    document: Document,
    number: int,
    own: Sequence[SelfEdit],
    edits: Sequence[SelfEdit],
    eval_items: tuple[EvalItem, ...],
) -> _Rival:
    recipe, together = context.recipe, (*own, *edits)
    rules = recipe.training.model_copy(update={"batch_size": recipe.self_edits.edit_set_batch})
    examples = tuple(example for edit in together for example in edit.examples)
    if directs(recipe.directives, [document]):
        guard = TrainingGuard(questions=context.never)
        directed = direct(document, together, recipe.directives, seed=recipe.seed, guard=guard, fits=context.fits)
        examples, rules = directed.examples, directed_rules(rules, directed.followed.settings)
    written = sum(len(edit.examples) for edit in edits)
    return _Rival(
        candidate=EditSet(number=number, self_edits=tuple(edit.id for edit in edits), examples=written),
        group=TrainingJob(
            examples=examples,
            rules=rules,
            parent=Checkpoint(context.live, context.adapter),
            # Candidates of one document differ in their notes alone: order and first weights are drawn alike.
            seed=seed_from("candidate", recipe.seed, document.id),
        ),
        eval_items=eval_items,
    )


def _choices(context: _EvalContext, trials: dict[str, tuple[_Rival, ...]]) -> tuple[Selection, ...]:
    """Trains what there is to compare, and chooses for each document."""
    rivals = {
        (document, trial.candidate.number): trial
        for document, own in trials.items()
        for trial in own
        if trial.eval_items and len(own) > 1
    }
    rewards = dict(zip(rivals, _rewards(context, list(rivals.values())), strict=True))
    return tuple(
        choose(
            document,
            [replace(one.candidate, reward=rewards.get((document, one.candidate.number))) for one in own],
            questions=len(own[0].eval_items),
        )
        for document, own in trials.items()
        if own
    )


def _rewards(context: _EvalContext, trials: Sequence[_Rival]) -> list[float]:
    """The share of its questions that each trial's adapter answers."""
    scores = train_and_ask(
        context.base, [one.group for one in trials], [one.eval_items for one in trials], context.recipe
    )
    return [sum(own) / len(own) for own in scores]
