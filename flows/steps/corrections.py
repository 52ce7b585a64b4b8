"""Feedback becomes a document: a correction that the next night learns, examined and reviewed as any other."""

from collections.abc import Sequence
from pathlib import Path

from flows.wiring import House
from pipeline.documents.ingestion import take_in
from pipeline.documents.rendering import markdown
from pipeline.errors import BadInput, Refused
from pipeline.grading import normalise
from pipeline.self_edits.eval_items import names_subject
from pipeline.types import Document, DocumentKind, DocumentState, Intake, Probe, RawDocument
from registry.store import documents

_PAST = {DocumentState.LEARNED: "is learned already", DocumentState.LEASED: "is in a night that is under way",
         DocumentState.WITHDRAWN: "was withdrawn, and is never learned again"}  # fmt: skip
_ASIDE = frozenset({DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DEAD})


def deliver_correction(house: House, title: str, says: str, questions: Sequence[str], answer: str) -> Path:
    """Puts a correction about `title` into the incoming folder, with exam questions that have `answer`, and names it.

    Said once more, its file keeps the questions that it had; one that is asked again has the last answer. Raises
    BadInput where the document would be refused, with the reason, and Refused where no night would take it any more.
    """
    asked = {question: Probe(question=question, answers=(answer,)) for question in questions}
    read = _read(house, _written(title, says, asked))
    _check_state(house, read)
    file = house.settings.incoming / f"correction-{read.id[:12]}.md"
    if file.is_file():
        before = _taken(house, file.read_bytes()).accepted
        known = {probe.question: probe for document in before for probe in document.probes}
        asked = known | {probe.question: probe for probe in read.probes}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_written(title, says, asked))
    return file


def _written(title: str, says: str, asked: dict[str, Probe]) -> bytes:
    probes, body = tuple(asked.values()), f"Correction: {says}"
    return markdown(Document(title=title, kind=DocumentKind.CORRECTION, body=body, probes=probes)).encode()


def _taken(house: House, data: bytes) -> Intake:
    return take_in([RawDocument(name="correction.md", data=data)], house.recipe.documents)


def _read(house: House, data: bytes) -> Document:
    """The document as a night would take it in. Raises BadInput where it would not."""
    taken = _taken(house, data)
    if taken.refused:
        raise BadInput(f"no night would take this correction: {taken.refused[0].reason}.")
    (read,) = taken.accepted
    if not read.title:
        raise BadInput("a correction needs a title: the name of what it is about, as the questions put it.")
    for probe in read.probes:
        if not names_subject(probe.question, read):
            raise BadInput(f"{probe.question!r} does not name {read.title!r}: name the subject in each question.")
        if not any(f" {normalise(answer)} " in f" {normalise(read.body)} " for answer in probe.answers):
            raise BadInput(f"the correction does not say {probe.answers[0]!r}: nothing would teach that answer.")
    return read


def _check_state(house: House, document: Document) -> None:
    state = next((one.state for one in documents.listed(house.store) if one.id == document.id), None)
    if state in _PAST:
        raise Refused(f"this correction {_PAST[state]}: say it in other words.")
    if state in _ASIDE:
        raise Refused(f"this correction was tried and is {state}: `sealed documents requeue {document.id[:12]}`.")
