"""Groups a document's self-edits into edit sets, says what each trains on, and selects one by its reward. Pure."""

from collections.abc import Callable, Iterable, Sequence

from pipeline.documents import asked
from pipeline.grading import normalise
from pipeline.leakage import TrainingGuard
from pipeline.recipe import Recipe, TrainingRules
from pipeline.self_edits.directives import direct, directed_rules, directs
from pipeline.types import Document, EditSet, EvalItem, Example, Selection, SelfEdit, Split


def validation_items(document: Document) -> tuple[EvalItem, ...]:
    """The document's validation items, without those whose question one of its test items asks as well."""
    test = {normalise(item.question) for item in asked(document, Split.TEST)}
    return tuple(item for item in asked(document, Split.VALIDATION) if normalise(item.question) not in test)


def common(edits: Iterable[SelfEdit]) -> tuple[SelfEdit, ...]:
    """What every edit set of a document holds: the document's own text, which no model wrote."""
    return tuple(edit for edit in edits if not edit.prompt)


def edit_sets_of(edits: Iterable[SelfEdit], samples: int) -> dict[int, tuple[SelfEdit, ...]]:
    """One document's self-edits by the number of their edit set, which holds `samples` of each style."""
    sets: dict[int, list[SelfEdit]] = {}
    for edit in edits:
        if edit.prompt:
            sets.setdefault(edit.sample // samples, []).append(edit)
    return {number: tuple(sets[number]) for number in sorted(sets)}


def training_data(
    document: Document,
    edits: Sequence[SelfEdit],
    recipe: Recipe,
    guard: TrainingGuard,
    fits: Callable[[Example], bool],
) -> tuple[tuple[Example, ...], TrainingRules]:
    """What an update on these self-edits of one document alone trains on, and by which rules.

    By the recipe's training rules with steps of `edit_set_batch` sequences; where directives apply, with the examples
    that tools make of the self-edits (those that `fits` and the guard allow) and the settings that the writer chose.
    """
    rules = recipe.training.model_copy(update={"batch_size": recipe.self_edits.edit_set_batch})
    if not directs(recipe.directives, [document]):
        return tuple(example for edit in edits for example in edit.examples), rules
    directed = direct(document, edits, recipe.directives, seed=recipe.seed, guard=guard, fits=fits)
    return directed.examples, directed_rules(rules, directed.followed.settings)


def choose(document: str, edit_sets: Sequence[EditSet], questions: int) -> Selection:
    """Selects the edit set of the best reward; of equal ones, or without `questions`, the one of most examples.

    Of those that are equal in both, the first. More examples mean that more of the self-edits passed the screening.
    """
    best = max(edit_sets, key=lambda one: (one.reward or 0.0, one.examples, -one.number))
    sentence = _sentence(best, edit_sets, questions)
    return Selection(document=document, kept=best.number, candidates=tuple(edit_sets), sentence=sentence)


def kept(edits: Iterable[SelfEdit], selections: Iterable[Selection]) -> tuple[SelfEdit, ...]:
    """The self-edits without those of edit sets that were not selected, in their order."""
    left = {
        edit
        for selection in selections
        for edit_set in selection.candidates
        if edit_set.number != selection.kept
        for edit in edit_set.self_edits
    }
    return tuple(edit for edit in edits if edit.id not in left)


def _sentence(best: EditSet, edit_sets: Sequence[EditSet], questions: int) -> str:
    name = f"edit set {best.number + 1}"
    if len(edit_sets) == 1:
        return f"{name} is kept: it is the only one that holds anything"
    if best.reward is None:
        return f"{name} of {len(edit_sets)} is kept without validation questions: {_by_size(best, edit_sets)}"
    others = ", ".join(f"{_right(one, questions)}" for one in edit_sets if one is not best)
    said = (
        f"{name} of {len(edit_sets)} is kept: its adapter answers {_right(best, questions)} of {questions} validation "
        f"questions, the others' {others}"
    )
    equal = [one for one in edit_sets if one.reward == best.reward]
    return said if len(equal) == 1 else f"{said}; of {len(equal)} equal ones {_by_size(best, equal)}"


def _by_size(best: EditSet, equal: Sequence[EditSet]) -> str:
    unique = sum(one.examples == best.examples for one in equal) == 1
    return f"it {'has' if unique else 'is the first with'} the most examples ({best.examples})"


def _right(edit_set: EditSet, questions: int) -> int:
    return round((edit_set.reward or 0.0) * questions)
