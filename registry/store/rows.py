"""Turns rows into nouns and back. Knows no transaction and changes no state."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import RowMapping

from pipeline.types import (
    Approval,
    Deployment,
    Document,
    DocumentKind,
    DocumentRecord,
    DocumentState,
    EvalItem,
    ModelRef,
    Origin,
    Release,
    ReleaseState,
    Run,
    RunKind,
    RunState,
    Split,
    StageSeconds,
    Withdrawal,
    WriterTrainingRequest,
)

Noun = TypeVar("Noun")
# How many values one IN (...) holds: SQLite allows 32,766 and older ones 999.
BLOCK = 500
_ADAPTERS: dict[type[Any], Any] = {}


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def blocks(ids: Sequence[str]) -> list[Sequence[str]]:
    """`ids` in pieces that fit one IN (...)."""
    return [ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK)]


def _adapter(noun: type[Any]) -> Any:
    if noun not in _ADAPTERS:
        from pydantic import TypeAdapter

        _ADAPTERS[noun] = TypeAdapter(noun)
    return _ADAPTERS[noun]


def encode(value: object) -> Any:
    """A frozen noun as JSON values, for a JSON column."""
    return _adapter(type(value)).dump_python(value, mode="json")


def decode(noun: type[Noun], body: object) -> Noun:
    """The noun that `encode` wrote."""
    value: Noun = _adapter(noun).validate_python(body)
    return value


def release_of(row: RowMapping) -> Release:
    return Release(
        number=row["number"],
        state=ReleaseState(row["state"]),
        parent=row["parent"],
        model=ModelRef(base=row["base"], adapter=row["adapter"]),
        manifest=row["manifest"],
        update=row["update_id"],
        proposer=row["proposer"],
        created=row["created"],
        mlflow_version=row["mlflow_version"],
        report=row["report"],
        reason=row["reason"],
    )


def row_of_release(release: Release) -> dict[str, object]:
    return {
        "number": release.number,
        "state": release.state,
        "parent": release.parent,
        "base": release.model.base,
        "adapter": release.model.adapter,
        "manifest": release.manifest,
        "update_id": release.update,
        "proposer": release.proposer,
        "created": release.created,
        "mlflow_version": release.mlflow_version,
        "report": release.report,
        "reason": release.reason,
    }


def run_of(row: RowMapping, documents: tuple[str, ...]) -> Run:
    return Run(
        number=row["number"],
        state=RunState(row["state"]),
        parent=row["parent"],
        documents=documents,
        proposer=row["proposer"],
        recipe=row["recipe"],
        started=row["started"],
        finished=row["finished"],
        update=row["update_id"],
        report=row["report"],
        release=row["release"],
        sentence=row["sentence"],
        seconds=tuple(StageSeconds(stage=stage, seconds=seconds) for stage, seconds in row["seconds"]),
        kind=RunKind(row["kind"]),
        asked=None if row["asked"] is None else decode(WriterTrainingRequest, row["asked"]),
    )


def deployment_of(row: RowMapping) -> Deployment:
    return Deployment(**row)


def approval_of(row: RowMapping) -> Approval:
    return Approval(**{name: value for name, value in row.items() if name != "id"})


def withdrawal_of(row: RowMapping) -> Withdrawal:
    return Withdrawal(**row)


def eval_item_of(row: RowMapping) -> EvalItem:
    return EvalItem(
        question=row["question"],
        answers=tuple(row["answers"]),
        split=Split(row["split"]),
        origin=Origin(row["origin"]),
        group=row["group"],
    )


def row_of_item(document: str, position: int, eval_item: EvalItem) -> dict[str, object]:
    return {
        "document": document,
        "position": position,
        "question": eval_item.question,
        "answers": list(eval_item.answers),
        "split": eval_item.split,
        "origin": eval_item.origin,
        "group": eval_item.group,
    }


def record_of(row: RowMapping, eval_items: tuple[EvalItem, ...]) -> DocumentRecord:
    document = None
    if row["body"] is not None:
        kind = DocumentKind(row["kind"])
        document = Document(title=row["title"], body=row["body"], kind=kind, name=row["name"], eval_items=eval_items)
    return DocumentRecord(
        id=row["id"],
        state=DocumentState(row["state"]),
        name=row["name"],
        reason=row["reason"],
        attempts=row["attempts"],
        added=row["added"],
        document=document,
        release=row["release"],
    )
