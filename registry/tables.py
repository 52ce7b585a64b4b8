"""The ledger's tables, as SQLAlchemy Core sees them, and how their values become nouns and back. Knows no query."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

from pipeline.types import (
    DocumentKind,
    DocumentState,
    GateReport,
    Origin,
    ReleaseState,
    ReviewKind,
    RunKind,
    RunState,
    Selection,
    SelfEdit,
    Split,
    StageSeconds,
    Update,
    WriterTrainingRequest,
)

T = TypeVar("T")

# The newest revision in registry/migrations/versions: compared with the database before Alembic is imported.
HEAD = "schema_1"
VERSION_TABLE = "sealed_version"


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


def _one_of(column: str, names: type[StrEnum], unless: str = "") -> CheckConstraint:
    allowed = ", ".join(f"'{name.value}'" for name in names)
    return CheckConstraint(f"{unless}{column} IN ({allowed})", name=f"{column}_known")


METADATA = MetaData(
    naming_convention={
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)
DIGEST = String(64)

releases = Table(
    "releases",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("parent", ForeignKey("releases.number")),
    Column("base", DIGEST, nullable=False),
    Column("adapter", DIGEST),
    Column("manifest", DIGEST, nullable=False),
    Column("update_id", DIGEST, nullable=False),
    Column("report", ForeignKey("reports.digest")),
    Column("proposer", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("mlflow_version", String(32)),
    Column("reason", Text, nullable=False, server_default=""),
    _one_of("state", ReleaseState),
    # The database itself holds that there is never more than one production release.
    Index(
        "one_production",
        "state",
        unique=True,
        sqlite_where=text("state = 'production'"),
        postgresql_where=text("state = 'production'"),
    ),
)

runs = Table(
    "runs",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(24), nullable=False),
    Column("parent", ForeignKey("releases.number"), nullable=False),
    Column("proposer", Text, nullable=False),
    Column("recipe", DIGEST, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Column("update_id", ForeignKey("updates.id")),
    Column("report", ForeignKey("reports.digest")),
    Column("release", ForeignKey("releases.number"), unique=True),
    Column("sentence", Text, nullable=False, server_default=""),
    Column("seconds", Noun(tuple[StageSeconds, ...]), nullable=False),
    Column("kind", String(16), nullable=False, server_default=RunKind.NIGHTLY.value),
    Column("asked", Noun(WriterTrainingRequest)),
    _one_of("state", RunState),
    _one_of("kind", RunKind),
)

documents = Table(
    "documents",
    METADATA,
    Column("id", DIGEST, primary_key=True),
    Column("state", String(16), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("added", UtcTime, nullable=False),
    Column("kind", String(16)),
    Column("title", Text),
    Column("body", Text),
    Column("run", ForeignKey("runs.number")),
    Column("release", ForeignKey("releases.number")),
    _one_of("state", DocumentState),
    _one_of("kind", DocumentKind, "kind IS NULL OR "),
    CheckConstraint("(state = 'leased') = (run IS NOT NULL)", name="leased_by_a_run"),
    CheckConstraint("state <> 'learned' OR release IS NOT NULL", name="learned_in_a_release"),
    CheckConstraint("body IS NOT NULL OR state IN ('quarantined', 'discarded')", name="refused_is_never_queued"),
)

eval_items = Table(
    "eval_items",
    METADATA,
    Column("document", ForeignKey("documents.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, nullable=False),
    Column("answers", JSON, nullable=False),
    Column("split", String(16), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("group", Text, nullable=False),
    _one_of("split", Split),
    _one_of("origin", Origin),
)

run_documents = Table(
    "run_documents",
    METADATA,
    Column("run", ForeignKey("runs.number"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("document", ForeignKey("documents.id"), nullable=False),
)

self_edits = Table(
    "self_edits",
    METADATA,
    Column("id", DIGEST, primary_key=True),
    Column("document", ForeignKey("documents.id"), nullable=False),
    Column("body", Noun(SelfEdit), nullable=False),
)

run_self_edits = Table(
    "run_self_edits",
    METADATA,
    Column("run", ForeignKey("runs.number"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("self_edit", ForeignKey("self_edits.id"), primary_key=True),
)

selections = Table(
    "selections",
    METADATA,
    Column("run", ForeignKey("runs.number"), primary_key=True),
    Column("document", ForeignKey("documents.id"), primary_key=True),
    Column("body", Noun(Selection), nullable=False),
)

writer_training_documents = Table(
    "writer_training_documents",
    METADATA,
    Column("run", ForeignKey("runs.number"), primary_key=True),
    Column("document", ForeignKey("documents.id"), primary_key=True),
    Column("held_out", Boolean, nullable=False),
)

withdrawals = Table(
    "withdrawals",
    METADATA,
    Column("document", ForeignKey("documents.id"), primary_key=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

updates = Table(
    "updates", METADATA, Column("id", DIGEST, primary_key=True), Column("body", Noun(Update), nullable=False)
)

reports = Table(
    "reports",
    METADATA,
    Column("digest", DIGEST, primary_key=True),
    Column("verdict", String(16), nullable=False),
    Column("body", Noun(GateReport), nullable=False),
)

deployments = Table(
    "deployments",
    METADATA,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("release", ForeignKey("releases.number"), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

approvals = Table(
    "approvals",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("release", ForeignKey("releases.number"), nullable=False, index=True),
    Column("manifest", DIGEST, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("epoch", ForeignKey("deployments.epoch"), nullable=False),
    Column("at", UtcTime, nullable=False),
)

review_decisions = Table(
    "review_decisions",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("who", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("version", String(32), nullable=False),
    Column("release", ForeignKey("releases.number"), nullable=False),
    Column("manifest", DIGEST, nullable=False),
    Column("epoch", ForeignKey("deployments.epoch"), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    _one_of("kind", ReviewKind),
)

review_outcomes = Table(
    "review_outcomes",
    METADATA,
    # The key: a decision is used once.
    Column("decision", ForeignKey("review_decisions.number"), primary_key=True, autoincrement=False),
    Column("adopted", Boolean, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

leases = Table(
    "leases",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("holder", Text),
    Column("since", UtcTime, nullable=False),
    Column("expires", Float, nullable=False),
)
