"""How the ledger's values are kept in columns, and how rows become nouns and back. Knows no table."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, TypeDecorator

T = TypeVar("T")


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC: SQLite forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Noun(TypeDecorator[Any]):
    """A frozen value of `pipeline.types`, kept as JSON."""

    impl = JSON
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else _adapter(self.kind).dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else _adapter(self.kind).validate_python(value)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def decode(kind: Callable[..., T], row: Mapping[Any, object]) -> T:
    """The noun whose fields the mapping `row` has, among others."""
    value: T = _adapter(kind).validate_python(row)
    return value


def fields_of(noun: Any) -> dict[str, Any]:
    """A noun's fields by name, with their values as they are."""
    return {field.name: getattr(noun, field.name) for field in fields(noun)}
