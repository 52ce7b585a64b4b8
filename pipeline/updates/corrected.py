"""What a correction takes out of the rehearsal: what the untouched base says of its subject, and answers it replaced.

Pure; knows no model. What a correction replaced is known by its questions, and by those of the notes about it: those
that an older document, or a note about that, answered otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.grading import normalise
from pipeline.types import Document, DocumentKind, Example, SelfEdit


def corrected_subjects(documents: Iterable[Document]) -> frozenset[str]:
    """The titles (normalised) of the corrections: whom or what they are about."""
    titles = (normalise(document.title) for document in documents if document.kind is DocumentKind.CORRECTION)
    return frozenset(titles) - {""}


def without_replaced(
    edits: Sequence[SelfEdit], documents: Sequence[Document], tonight: Sequence[SelfEdit] = ()
) -> tuple[SelfEdit, ...]:
    """The self-edits without the examples that state an answer which a correction has replaced.

    `documents` are in the order in which they were learned, tonight's last; `tonight` are notes about those. A document
    is corrected by any correction with its title, and a correction by those after it. Replaced are the answers that it,
    or a note about it, gave to a question that the correction, or a note about that, answers otherwise: no example
    about the document names one.
    """
    replaced = _replaced(documents, [*edits, *tonight])
    kept = (
        replace(edit, examples=tuple(one for one in edit.examples if not _states(one, replaced[edit.document])))
        if edit.document in replaced
        else edit
        for edit in edits
    )
    return tuple(edit for edit in kept if edit.examples or edit.directives)


def _replaced(documents: Sequence[Document], edits: Sequence[SelfEdit]) -> dict[str, frozenset[str]]:
    """For each document the answers (normalised) that corrections of its subject replaced."""
    written = [edit for edit in edits if edit.prompt]  # by the model: what is left alone says nothing new
    found: dict[str, frozenset[str]] = {}
    for place, document in enumerate(documents):
        first = place + 1 if document.kind is DocumentKind.CORRECTION else 0
        corrections = [one for one in documents[first:] if _corrects(one, document)]
        if not corrections:
            continue
        new, old = _answers(corrections, written), _answers([document], edits)
        gone = frozenset(answer for question in old.keys() & new.keys() for answer in old[question] - new[question])
        if gone:
            found[document.id] = gone
    return found


def _corrects(correction: Document, document: Document) -> bool:
    same_title = normalise(correction.title) == normalise(document.title) != ""
    return correction.kind is DocumentKind.CORRECTION and correction.id != document.id and same_title


def _answers(documents: Sequence[Document], edits: Sequence[SelfEdit]) -> dict[str, set[str]]:
    """What the documents' probes and the notes about them answer, by question; all normalised."""
    about = {document.id for document in documents}
    found: dict[str, set[str]] = {}
    for probe in (probe for document in documents for probe in document.probes):
        found.setdefault(normalise(probe.question), set()).update(map(normalise, probe.answers))
    for example in (example for edit in edits if edit.document in about for example in edit.examples):
        if example.prompt:
            found.setdefault(normalise(example.prompt), set()).add(normalise(example.completion))
    return found


def _states(example: Example, answers: frozenset[str]) -> bool:
    text = f" {normalise(example.completion)} "
    return any(f" {answer} " in text for answer in answers)
