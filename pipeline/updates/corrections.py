"""What a correction takes out of the rehearsal: what the base model says of its subject, and answers it replaced.

Pure; knows no model. What a correction replaced is known by its questions, and by those of the notes about it: those
that an older document, or a note about that, answered otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.grading import NAMELESS, normalise
from pipeline.types import Document, DocumentKind, Example, SelfEdit

_TELLING_DIGITS = 3


def corrected_subjects(documents: Iterable[Document]) -> frozenset[str]:
    """The titles (normalised) of the corrections: whom or what they are about."""
    titles = (normalise(document.title) for document in documents if document.kind is DocumentKind.CORRECTION)
    return frozenset(titles) - {""}


def in_order(runs: Iterable[Sequence[Document]]) -> tuple[Document, ...]:
    """The documents of these runs one after another, of each run its corrections last: they change what it says."""
    return tuple(one for run in runs for one in sorted(run, key=lambda it: it.kind is DocumentKind.CORRECTION))


def without_replaced(
    edits: Sequence[SelfEdit], documents: Sequence[Document], newest: Sequence[SelfEdit] = ()
) -> tuple[SelfEdit, ...]:
    """The self-edits without the examples that state an answer which a correction has replaced.

    `documents` are as `in_order` gives them, and a correction corrects those before it that have its title; `this run`
    are notes about the last ones. Replaced are the answers that a document, or a note about it, gave to a question that
    the correction, or a note about that, answers otherwise: no example about the document gives one to such a question,
    or names one that names something.
    """
    replaced = _replaced(documents, [*edits, *newest])
    kept = (
        replace(edit, examples=tuple(one for one in edit.examples if not _states(one, replaced[edit.document])))
        if edit.document in replaced
        else edit
        for edit in edits
    )
    return tuple(edit for edit in kept if edit.examples or edit.directives)


_Answers = dict[str, set[str]]  # by question; all normalised


def _replaced(documents: Sequence[Document], edits: Sequence[SelfEdit]) -> dict[str, _Answers]:
    """For each document that was corrected the answers that were replaced."""
    by_title: dict[str, list[Document]] = {}
    for document in documents:
        by_title.setdefault(normalise(document.title), []).append(document)
    by_title.pop("", None)
    subjects = {title: same for title, same in by_title.items() if any(map(_is_correction, same))}
    notes: dict[str, list[SelfEdit]] = {document.id: [] for same in subjects.values() for document in same}
    for edit in edits:
        if edit.document in notes:
            notes[edit.document].append(edit)
    found: dict[str, _Answers] = {}
    for same in subjects.values():
        for place, document in enumerate(same):
            new: _Answers = {}
            for correction in filter(_is_correction, same[place + 1 :]):
                # What it leaves alone, which no prompt asked for, says nothing new.
                _answers(new, correction, [edit for edit in notes[correction.id] if edit.prompt])
            old = _answers({}, document, notes[document.id])
            gone = {asked: old[asked] - new[asked] for asked in old.keys() & new.keys() if old[asked] - new[asked]}
            if gone:
                found[document.id] = gone
    return found


def _is_correction(document: Document) -> bool:
    return document.kind is DocumentKind.CORRECTION


def _answers(found: _Answers, document: Document, notes: Sequence[SelfEdit]) -> _Answers:
    """Adds what the document's eval items and the notes about it answer."""
    for eval_item in document.eval_items:
        found.setdefault(normalise(eval_item.question), set()).update(map(normalise, eval_item.answers))
    for example in (example for edit in notes for example in edit.examples if example.prompt):
        found.setdefault(normalise(example.prompt), set()).add(normalise(example.completion))
    return found


def _states(example: Example, replaced: _Answers) -> bool:
    said = normalise(example.completion)
    if said in replaced.get(normalise(example.prompt), ()):
        return True
    return any(f" {answer} " in f" {said} " for old in replaced.values() for answer in old if _names_something(answer))


def _names_something(answer: str) -> bool:
    """Whether an answer can be told by its words wherever it stands: not a yes, a no or a small number."""
    return answer not in NAMELESS and not (answer.isdigit() and len(answer) < _TELLING_DIGITS)
