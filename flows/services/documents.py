"""The documents of a workspace: where each is and why, what a person decides about them, and corrections.

Feedback becomes a document: a correction that the next run learns, evaluated and reviewed as any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.wiring import Workspace
from pipeline.actors import running_account
from pipeline.documents import ingest, markdown
from pipeline.errors import BadInput, PolicyError
from pipeline.files import write_bytes
from pipeline.grading import mentions
from pipeline.self_edits import names_subject
from pipeline.types import (
    Document,
    DocumentKind,
    DocumentRecord,
    DocumentState,
    EvalItem,
    Ingested,
    RawDocument,
    Selection,
    Withdrawal,
)

_PAST = {
    DocumentState.LEARNED: "is learned already",
    DocumentState.LEASED: "is in a run that is under way",
    DocumentState.WITHDRAWN: "was withdrawn, and is never learned again",
}
_OUT_OF_USE = frozenset({DocumentState.QUARANTINED, DocumentState.REVERTED, DocumentState.DISCARDED})


@dataclass(frozen=True, kw_only=True)
class DocumentDetail:
    """A document, and what happened to it.

    `writer_trainings`: runs that used it, and whether it was held out there. `selections`: runs that selected one of
    its edit sets.
    """

    record: DocumentRecord
    withdrawals: tuple[Withdrawal, ...]
    writer_trainings: tuple[tuple[int, bool], ...]
    selections: tuple[tuple[int, Selection], ...]


def list_documents(workspace: Workspace, state: DocumentState | None = None) -> tuple[DocumentRecord, ...]:
    """All documents, or those in a state."""
    return tuple(workspace.ledger.documents.listed(state))


def withdrawn_but_known(workspace: Workspace) -> frozenset[str]:
    """The ids of withdrawn documents that production still knows: a rebuild forgets them."""
    return frozenset(document.id for document in workspace.ledger.withdrawals.remembered())


def show_document(workspace: Workspace, id_: str) -> DocumentDetail:
    """A document by its id or a unique beginning of it. Raises NoSuchDocument."""
    ledger = workspace.ledger
    record = ledger.documents.get(id_)
    return DocumentDetail(
        record=record,
        withdrawals=tuple(one for one in ledger.withdrawals.listed() if one.document == record.id),
        writer_trainings=ledger.writer_trainings.about(record.id),
        selections=tuple(ledger.self_edits.selections_about(record.id)),
    )


def requeue(workspace: Workspace, ids: Sequence[str]) -> tuple[DocumentRecord, ...]:
    """Lets the next run try quarantined, discarded or reverted documents again: all or none. Raises PolicyError."""
    return workspace.ledger.documents.requeue(ids)


def quarantine(workspace: Workspace, id_: str, reason: str) -> DocumentRecord:
    """Keeps a queued document out of every run. Raises PolicyError if it is not queued."""
    return workspace.ledger.documents.quarantine(id_, reason)


def withdraw(workspace: Workspace, ids: Sequence[str], *, actor: str, reason: str) -> tuple[DocumentRecord, ...]:
    """Withdraws documents for good, all or none: recorded with the account. Raises PolicyError, BadInput,
    NoSuchDocument.
    """
    return workspace.ledger.withdrawals.withdraw(ids, actor=actor, reason=reason, account=running_account())


def deliver_correction(
    workspace: Workspace, title: str, says: str, questions: Sequence[str], answers: Sequence[str]
) -> Path:
    """Puts a correction about `title` into the incoming folder and returns its file.

    Each of `questions` is a test question for which each of `answers` counts: `says` must contain one of them, the
    others are other spellings of it. A correction that is delivered again keeps the questions of its file; one that is
    given again has the last answers. Raises BadInput where the document would be refused, with the reason, and
    PolicyError where no run would take it any more.
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
        if not any(mentions(read.body, answer) for answer in eval_item.answers):
            said = " or ".join(map(repr, eval_item.answers))
            raise BadInput(f"the correction does not say {said}: nothing would teach that answer.")
    return read


def _check_state(workspace: Workspace, document: Document) -> None:
    state = next((one.state for one in workspace.ledger.documents.listed() if one.id == document.id), None)
    if state in _PAST:
        raise PolicyError(f"this correction {_PAST[state]}: say it in other words.")
    if state in _OUT_OF_USE:
        raise PolicyError(f"this correction was tried and is {state}: `sealed documents requeue {document.id[:12]}`.")
