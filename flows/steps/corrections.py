"""Feedback becomes a document: a correction that the next run learns, examined and reviewed as any other."""

from collections.abc import Sequence
from pathlib import Path

from flows.wiring import Workspace
from pipeline.documents import ingest, markdown
from pipeline.errors import BadInput, PolicyError
from pipeline.files import write_bytes
from pipeline.grading import normalise
from pipeline.self_edits.eval_items import names_subject
from pipeline.types import Document, DocumentKind, DocumentState, EvalItem, Ingested, RawDocument

_PAST = {
    DocumentState.LEARNED: "is learned already",
    DocumentState.LEASED: "is in a run that is under way",
    DocumentState.WITHDRAWN: "was withdrawn, and is never learned again",
}
_ASIDE = frozenset({DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED})


def deliver_correction(
    workspace: Workspace, title: str, says: str, questions: Sequence[str], answers: Sequence[str]
) -> Path:
    """Puts a correction about `title` into the incoming folder and returns its file.

    Each of `questions` is an test question for which each of `answers` counts: `says` must hold one of them, the others
    are other spellings of it. Said once more, its file keeps the questions that it had; one that is asked again has the
    last answers. Raises BadInput where the document would be refused, with the reason, and PolicyError where no run
    would take it any more.
    """
    asked = {question: EvalItem(question=question, answers=tuple(answers)) for question in questions}
    read = _read(workspace, _written(title, says, asked))
    _check_state(workspace, read)
    file = workspace.settings.incoming / f"correction-{read.id[:12]}.md"
    if file.is_file():
        before = _taken(workspace, file.read_bytes()).accepted
        known = {eval_item.question: eval_item for document in before for eval_item in document.eval_items}
        asked = known | {eval_item.question: eval_item for eval_item in read.eval_items}
    write_bytes(file, _written(title, says, asked))
    return file


def _written(title: str, says: str, asked: dict[str, EvalItem]) -> bytes:
    eval_items, body = tuple(asked.values()), f"Correction: {says}"
    return markdown(Document(title=title, kind=DocumentKind.CORRECTION, body=body, eval_items=eval_items)).encode()


def _taken(workspace: Workspace, data: bytes) -> Ingested:
    return ingest([RawDocument(name="correction.md", data=data)], workspace.recipe.documents)


def _read(workspace: Workspace, data: bytes) -> Document:
    """The document as a run would take it in. Raises BadInput where it would not."""
    taken = _taken(workspace, data)
    if taken.refused:
        raise BadInput(f"no run would take this correction: {taken.refused[0].reason}.")
    (read,) = taken.accepted
    if not read.title:
        raise BadInput("a correction needs a title: the name of what it is about, as the questions put it.")
    for eval_item in read.eval_items:
        if not names_subject(eval_item.question, read):
            raise BadInput(f"{eval_item.question!r} does not name {read.title!r}: name the subject in each question.")
        if not any(f" {normalise(answer)} " in f" {normalise(read.body)} " for answer in eval_item.answers):
            said = " or ".join(map(repr, eval_item.answers))
            raise BadInput(f"the correction does not say {said}: nothing would teach that answer.")
    return read


def _check_state(workspace: Workspace, document: Document) -> None:
    state = next((one.state for one in workspace.ledger.documents.listed() if one.id == document.id), None)
    if state in _PAST:
        raise PolicyError(f"this correction {_PAST[state]}: say it in other words.")
    if state in _ASIDE:
        raise PolicyError(f"this correction was tried and is {state}: `sealed documents requeue {document.id[:12]}`.")
