"""Groups a document's notes into candidates, and chooses one by what its adapter answered. Pure; knows no model."""

from collections.abc import Iterable, Sequence

from pipeline.documents.eval_items import asked
from pipeline.grading import normalise
from pipeline.types import Candidate, Choice, Document, Probe, SelfEdit, Split


def practice_probes(document: Document) -> tuple[Probe, ...]:
    """The questions that choose among candidates: never one that the document's exam asks as well."""
    exam = {normalise(probe.question) for probe in asked(document, Split.EXAM)}
    return tuple(probe for probe in asked(document, Split.PRACTICE) if normalise(probe.question) not in exam)


def common(edits: Iterable[SelfEdit]) -> tuple[SelfEdit, ...]:
    """What belongs to each candidate of its document: the document itself, about which no model was asked."""
    return tuple(edit for edit in edits if not edit.prompt)


def candidate_sets(edits: Iterable[SelfEdit], samples: int) -> dict[int, tuple[SelfEdit, ...]]:
    """One document's notes by the number of their candidate: each holds `samples` notes of every style asked for."""
    sets: dict[int, list[SelfEdit]] = {}
    for edit in edits:
        if edit.prompt:
            sets.setdefault(edit.sample // samples, []).append(edit)
    return {number: tuple(sets[number]) for number in sorted(sets)}


def choose(document: str, candidates: Sequence[Candidate], questions: int) -> Choice:
    """The candidate with the best reward; of equal ones, or where there are no `questions`, the fullest, then first.

    The fullest is the one with the most examples: more of its notes were fit to be kept.
    """
    best = max(candidates, key=lambda one: (one.reward or 0.0, one.examples, -one.number))
    sentence = _sentence(best, candidates, questions)
    return Choice(document=document, kept=best.number, candidates=tuple(candidates), sentence=sentence)


def kept(edits: Iterable[SelfEdit], choices: Iterable[Choice]) -> tuple[SelfEdit, ...]:
    """The edits without those of candidates that were not chosen, in their order."""
    left = {
        edit
        for choice in choices
        for candidate in choice.candidates
        if candidate.number != choice.kept
        for edit in candidate.self_edits
    }
    return tuple(edit for edit in edits if edit.id not in left)


def _sentence(best: Candidate, candidates: Sequence[Candidate], questions: int) -> str:
    name = f"candidate {best.number + 1}"
    if len(candidates) == 1:
        return f"{name} is kept: it is the only one that holds anything"
    if best.reward is None:
        return f"{name} of {len(candidates)} is kept without practice questions: {_by_size(best, candidates)}"
    others = ", ".join(f"{_right(one, questions)}" for one in candidates if one is not best)
    said = f"{name} of {len(candidates)} is kept: its adapter answers {_right(best, questions)} of {questions} practice"
    said += f" questions, the others' {others}"
    equal = [one for one in candidates if one.reward == best.reward]
    return said if len(equal) == 1 else f"{said}; of {len(equal)} equal ones {_by_size(best, equal)}"


def _by_size(best: Candidate, rivals: Sequence[Candidate]) -> str:
    alike = [one for one in rivals if one.examples == best.examples]
    if len(alike) == 1:
        return f"it has the most examples ({best.examples})"
    return f"it is the first with the most examples ({best.examples})"


def _right(candidate: Candidate, questions: int) -> int:
    return round((candidate.reward or 0.0) * questions)
