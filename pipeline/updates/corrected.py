"""What a correction takes out of the rehearsal: what the untouched base says of its subject, and answers it replaced.

Pure; knows no model. What a correction replaced is known by its questions: those that an older document answered
otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.grading import normalise
from pipeline.types import Document, DocumentKind, Example, SelfEdit


def corrected_subjects(documents: Iterable[Document]) -> frozenset[str]:
    """The titles (normalised) of the corrections: whom or what they are about."""
    titles = (normalise(document.title) for document in documents if document.kind is DocumentKind.CORRECTION)
    return frozenset(titles) - {""}


def corrections_among(documents: Iterable[Document]) -> frozenset[str]:
    """The ids of the documents that are corrections."""
    return frozenset(document.id for document in documents if document.kind is DocumentKind.CORRECTION)


def without_replaced(edits: Sequence[SelfEdit], documents: Sequence[Document]) -> tuple[SelfEdit, ...]:
    """The self-edits without the examples that state an answer which a correction has replaced.

    An example of a document that has the title of a correction, and is none itself, is left out where it names an
    answer that the document gave to a question of the correction, which the correction answers otherwise.
    """
    replaced = _replaced(documents)
    kept = (
        replace(edit, examples=tuple(one for one in edit.examples if not _states(one, replaced[edit.document])))
        if edit.document in replaced
        else edit
        for edit in edits
    )
    return tuple(edit for edit in kept if edit.examples or edit.directives)


def _replaced(documents: Sequence[Document]) -> dict[str, frozenset[str]]:
    """For each older document the answers (normalised) that corrections of its subject replaced."""
    found: dict[str, frozenset[str]] = {}
    corrections = [document for document in documents if document.kind is DocumentKind.CORRECTION]
    for document in documents:
        if document.kind is DocumentKind.CORRECTION:
            continue
        same = [one for one in corrections if normalise(one.title) == normalise(document.title) != ""]
        new = {normalise(probe.question): set(map(normalise, probe.answers)) for one in same for probe in one.probes}
        old = {
            answer
            for probe in document.probes
            if normalise(probe.question) in new
            for answer in set(map(normalise, probe.answers)) - new[normalise(probe.question)]
        }
        if old:
            found[document.id] = frozenset(old)
    return found


def _states(example: Example, answers: frozenset[str]) -> bool:
    text = f" {normalise(example.completion)} "
    return any(f" {answer} " in text for answer in answers)
