"""Turns rows into nouns and back. Knows no transaction and changes no state."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import RowMapping

from pipeline.types import Approval, Deployment, DocumentRecord, EvalItem, Release, Run, Withdrawal

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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
    """The noun that `encode` wrote, or whose fields the mapping `body` has among others."""
    value: Noun = _adapter(noun).validate_python(body)
    return value


def release_of(row: RowMapping) -> Release:
    return decode(Release, {**row, "model": {**row}, "update": row["update_id"]})


def row_of_release(release: Release) -> dict[str, object]:
    values = _fields(release) | _fields(release.model) | {"update_id": release.update}
    return {name: value for name, value in values.items() if name not in ("model", "update")}


def run_of(row: RowMapping, documents: tuple[str, ...]) -> Run:
    seconds = [{"stage": stage, "seconds": seconds} for stage, seconds in row["seconds"]]
    return decode(Run, {**row, "documents": documents, "update": row["update_id"], "seconds": seconds})


def deployment_of(row: RowMapping) -> Deployment:
    return decode(Deployment, {**row})


def approval_of(row: RowMapping) -> Approval:
    return decode(Approval, {**row})


def withdrawal_of(row: RowMapping) -> Withdrawal:
    return decode(Withdrawal, {**row})


def eval_item_of(row: RowMapping) -> EvalItem:
    return decode(EvalItem, {**row})


def row_of_item(document: str, position: int, eval_item: EvalItem) -> dict[str, object]:
    return _fields(eval_item) | {"document": document, "position": position, "answers": list(eval_item.answers)}


def record_of(row: RowMapping, eval_items: tuple[EvalItem, ...]) -> DocumentRecord:
    document = None if row["body"] is None else {**row, "eval_items": eval_items}
    return decode(DocumentRecord, {**row, "document": document})


def _fields(noun: "DataclassInstance") -> dict[str, object]:
    """A noun's fields by name, with their values as they are."""
    return {field.name: getattr(noun, field.name) for field in fields(noun)}
