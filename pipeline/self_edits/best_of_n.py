"""Best of N: evaluates each edit set of a document in the inner loop, and selects one by its validation accuracy.

The rule of selection is `pipeline.self_edits.edit_sets.choose`.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.inner_loop import EvalContext, EvalJob, evaluate
from pipeline.leakage import TrainingGuard
from pipeline.self_edits.edit_sets import choose, common, edit_sets_of, training_data, validation_items
from pipeline.types import Document, EditSet, Example, Selection, SelfEdit

# Edit sets that are evaluated between two calls of `save`: a killed run repeats at most these.
_TOGETHER = 16


@dataclass(frozen=True, kw_only=True)
class _Contender:
    """An edit set that holds something to train on, and its evaluation to be."""

    edit_set: EditSet
    job: EvalJob


def select_edit_sets(
    context: EvalContext,
    documents: Sequence[Document],
    edits: Sequence[SelfEdit],
    *,
    guard: TrainingGuard,
    already: Container[str] = frozenset(),
    save: Callable[[tuple[Selection, ...]], None] = lambda selections: None,
) -> tuple[Selection, ...]:
    """Selects one edit set for each document whose id is not in `already`, by its adapter's validation accuracy.

    `edits` are the self-edits of all documents. `save` is called once for each group of documents, so that a killed
    run that is started again ends with the same selections. A document without a usable self-edit gets no selection.
    Reports progress in documents. Raises as `evaluate` does.
    """
    by_document: dict[str, list[SelfEdit]] = {}
    for edit in edits:
        by_document.setdefault(edit.document, []).append(edit)
    ordered = sorted({document.id: document for document in documents}.values(), key=lambda document: document.id)
    selected: list[Selection] = []
    done = 0
    for group in _groups(ordered, context.recipe.self_edits.edit_sets):
        done += len(group)
        if any(document.id in already for document in group):
            continue  # a group is saved at once
        contenders = {one.id: _contenders(context, one, by_document.get(one.id, []), guard) for one in group}
        with progress.quiet():
            made = _selections(context, contenders)
        save(made)
        selected += made
        progress.report(done, len(ordered))
    return tuple(selected)


def _groups(documents: Sequence[Document], edit_sets: int) -> Iterator[Sequence[Document]]:
    size = max(1, _TOGETHER // edit_sets)
    for first in range(0, len(documents), size):
        yield documents[first : first + size]


def _contenders(
    context: EvalContext, document: Document, edits: Sequence[SelfEdit], guard: TrainingGuard
) -> tuple[_Contender, ...]:
    """The document's edit sets that hold anything to train on, in the order of their numbers."""
    recipe, shared = context.recipe, common(edits)
    items = tuple(
        item for item in validation_items(document) if context.fits(Example(prompt=item.question, completion=""))
    )
    # The edit sets of a document differ in their self-edits alone: order and first weights are drawn alike.
    seed = seed_from("candidate", recipe.seed, document.id)
    found = []
    for number, own in edit_sets_of(edits, recipe.self_edits.samples).items():
        examples, rules = training_data(document, (*shared, *own), recipe, guard, context.fits)
        written = sum(len(edit.examples) for edit in own)
        edit_set = EditSet(number=number, self_edits=tuple(edit.id for edit in own), examples=written)
        found.append(_Contender(edit_set=edit_set, job=EvalJob(examples=examples, rules=rules, seed=seed, items=items)))
    return tuple(one for one in found if one.job.examples)


def _selections(context: EvalContext, contenders: dict[str, tuple[_Contender, ...]]) -> tuple[Selection, ...]:
    """Evaluates the edit sets of documents that have several and items to compare them by, and selects for each."""
    jobs = [one.job for own in contenders.values() if _comparable(own) for one in own]
    # What the start checkpoint answers is the same for all edit sets of a document, and is not measured.
    rewards = iter([found.accuracy for found in evaluate(context, jobs, measure_before=False)])
    return tuple(
        choose(
            document,
            [replace(one.edit_set, reward=next(rewards)) if _comparable(own) else one.edit_set for one in own],
            questions=len(own[0].job.items),
        )
        for document, own in contenders.items()
        if own
    )


def _comparable(contenders: Sequence[_Contender]) -> bool:
    return len(contenders) > 1 and bool(contenders[0].job.items)
