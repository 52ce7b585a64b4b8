"""Groups a document's notes into candidates, and chooses one by what its adapter answered. Pure; knows no model."""

from collections.abc import Iterable, Sequence

from pipeline.documents import asked
from pipeline.grading import normalise
from pipeline.types import Document, EditSet, EvalItem, Selection, SelfEdit, Split


def validation_items(document: Document) -> tuple[EvalItem, ...]:
    """The questions that choose among candidates: never one that the document's test asks as well."""
    test = {normalise(eval_item.question) for eval_item in asked(document, Split.TEST)}
    return tuple(
        eval_item for eval_item in asked(document, Split.VALIDATION) if normalise(eval_item.question) not in test
    )


def common(edits: Iterable[SelfEdit]) -> tuple[SelfEdit, ...]:
    """What belongs to each candidate of its document: the document itself, about which no model was asked."""
    return tuple(edit for edit in edits if not edit.prompt)


def edit_sets_of(edits: Iterable[SelfEdit], samples: int) -> dict[int, tuple[SelfEdit, ...]]:
    """One document's notes by the number of their candidate: each holds `samples` notes of every style asked for."""
    sets: dict[int, list[SelfEdit]] = {}
    for edit in edits:
        if edit.prompt:
            sets.setdefault(edit.sample // samples, []).append(edit)
    return {number: tuple(sets[number]) for number in sorted(sets)}


def choose(document: str, candidates: Sequence[EditSet], questions: int) -> Selection:
    """The candidate with the best reward; of equal ones, or where there are no `questions`, the fullest, then first.

    The fullest is the one with the most examples: more of its notes were fit to be kept.
    """
    best = max(candidates, key=lambda one: (one.reward or 0.0, one.examples, -one.number))
    sentence = _sentence(best, candidates, questions)
    return Selection(document=document, kept=best.number, candidates=tuple(candidates), sentence=sentence)


def kept(edits: Iterable[SelfEdit], selections: Iterable[Selection]) -> tuple[SelfEdit, ...]:
    """The edits without those of candidates that were not chosen, in their order."""
    left = {
        edit
        for choice in selections
        for candidate in choice.candidates
        if candidate.number != choice.kept
        for edit in candidate.self_edits
    }
    return tuple(edit for edit in edits if edit.id not in left)


def _sentence(best: EditSet, candidates: Sequence[EditSet], questions: int) -> str:
    name = f"candidate {best.number + 1}"
    if len(candidates) == 1:
        return f"{name} is kept: it is the only one that holds anything"
    if best.reward is None:
        return f"{name} of {len(candidates)} is kept without validation questions: {_by_size(best, candidates)}"
    others = ", ".join(f"{_right(one, questions)}" for one in candidates if one is not best)
    said = (
        f"{name} of {len(candidates)} is kept: its adapter answers {_right(best, questions)} of {questions} validation"
    )
    said += f" questions, the others' {others}"
    equal = [one for one in candidates if one.reward == best.reward]
    return said if len(equal) == 1 else f"{said}; of {len(equal)} equal ones {_by_size(best, equal)}"


def _by_size(best: EditSet, rivals: Sequence[EditSet]) -> str:
    alike = [one for one in rivals if one.examples == best.examples]
    if len(alike) == 1:
        return f"it has the most examples ({best.examples})"
    return f"it is the first with the most examples ({best.examples})"


def _right(candidate: EditSet, questions: int) -> int:
    return round((candidate.reward or 0.0) * questions)
