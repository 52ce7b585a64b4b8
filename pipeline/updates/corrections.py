"""The rule "answers that a correction replaced": which examples of older self-edits a correction makes wrong. Pure.

What a correction replaced is known by its eval items and by the questions of self-edits about it: those that an older
document, or a self-edit about that, answered otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.grading import YES_OR_NO, normalise
from pipeline.types import Document, DocumentKind, Example, SelfEdit

_TELLING_DIGITS = 3

_Answers = dict[str, set[str]]  # by question; all normalised


def corrected_subjects(documents: Iterable[Document]) -> frozenset[str]:
    """The titles (normalised) of the corrections: whom or what they are about."""
    return frozenset(normalise(document.title) for document in documents if _is_correction(document)) - {""}


def in_order(runs: Iterable[Sequence[Document]]) -> tuple[Document, ...]:
    """The documents of the runs one after another; in each run its corrections last, as they change what it says."""
    return tuple(document for run in runs for document in sorted(run, key=_is_correction))


def without_replaced(
    edits: Sequence[SelfEdit], documents: Sequence[Document], newest: Sequence[SelfEdit] = ()
) -> tuple[SelfEdit, ...]:
    """The self-edits without the examples that state an answer which a correction has replaced.

    A correction corrects the documents before it that have its title. Replaced are the answers that such a document, or
    a self-edit about it, gave to a question which the correction, or a self-edit about that, answers otherwise. Of the
    corrected document no example gives such an answer to its question, or contains it where the answer names something.

    Args: `documents` in the order of `in_order`; `newest` are further self-edits, about the last documents.
    """
    replaced = _replaced(documents, [*edits, *newest])
    lasting = (
        replace(edit, examples=tuple(one for one in edit.examples if not _states(one, replaced[edit.document])))
        if edit.document in replaced
        else edit
        for edit in edits
    )
    return tuple(edit for edit in lasting if edit.examples or edit.directives)


def _replaced(documents: Sequence[Document], edits: Sequence[SelfEdit]) -> dict[str, _Answers]:
    """For each corrected document (id) the answers that were replaced."""
    by_title: dict[str, list[Document]] = {}
    for document in documents:
        by_title.setdefault(normalise(document.title), []).append(document)
    by_title.pop("", None)
    subjects = [same for same in by_title.values() if any(map(_is_correction, same))]
    about: dict[str, list[SelfEdit]] = {document.id: [] for same in subjects for document in same}
    for edit in edits:
        if edit.document in about:
            about[edit.document].append(edit)
    found: dict[str, _Answers] = {}
    for same in subjects:
        for place, document in enumerate(same):
            new: _Answers = {}
            for correction in filter(_is_correction, same[place + 1 :]):
                # A self-edit without a prompt says what the correction leaves alone, which replaces nothing.
                _add_answers(new, correction, [edit for edit in about[correction.id] if edit.prompt])
            old: _Answers = {}
            _add_answers(old, document, about[document.id])
            gone = {asked: old[asked] - new[asked] for asked in old.keys() & new.keys() if old[asked] - new[asked]}
            if gone:
                found[document.id] = gone
    return found


def _is_correction(document: Document) -> bool:
    return document.kind is DocumentKind.CORRECTION


def _add_answers(found: _Answers, document: Document, edits: Sequence[SelfEdit]) -> None:
    """Adds what the document's eval items and the self-edits about it answer."""
    for eval_item in document.eval_items:
        found.setdefault(normalise(eval_item.question), set()).update(map(normalise, eval_item.answers))
    for example in (example for edit in edits for example in edit.examples if example.prompt):
        found.setdefault(normalise(example.prompt), set()).add(normalise(example.completion))


def _states(example: Example, replaced: _Answers) -> bool:
    said = normalise(example.completion)
    if said in replaced.get(normalise(example.prompt), ()):
        return True
    return any(f" {answer} " in f" {said} " for old in replaced.values() for answer in old if _names_something(answer))


def _names_something(answer: str) -> bool:
    """Whether an answer can be recognised in other sentences: not a yes, a no or a small number."""
    return answer not in YES_OR_NO and not (answer.isdigit() and len(answer) < _TELLING_DIGITS)
