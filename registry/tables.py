"""The ledger's tables, as SQLAlchemy Core sees them. Knows no query."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from pipeline.types import (
    DocumentKind,
    DocumentState,
    GateReport,
    Identity,
    Origin,
    ReleaseState,
    RunKind,
    RunState,
    Selection,
    SelfEdit,
    SignedStatement,
    Split,
    StageSeconds,
    Update,
    WriterTrainingRequest,
)
from registry.columns import Noun, UtcTime

# The newest revision in registry/migrations/versions: compared with the database before Alembic is imported.
HEAD = "schema_1"
VERSION_TABLE = "sealed_version"


def one_of(column: str, names: type[StrEnum], unless: str = "") -> CheckConstraint:
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


def actor_columns() -> tuple[Column[Any], ...]:
    """Who decided: the columns that hold an `Actor`."""
    return (
        Column("actor", Text, nullable=False),
        Column("account", Text, nullable=False),
        Column("identity", String(16), nullable=False),
    )


def seal_columns() -> tuple[Column[Any], ...]:
    """The columns of `registry.chain.Seal`."""
    return (
        Column("previous", DIGEST, nullable=False),
        Column("digest", DIGEST, nullable=False, unique=True),
        Column("key", String(64), nullable=False),
        Column("signature", String(88), nullable=False),
    )


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
    one_of("state", ReleaseState),
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
    one_of("state", RunState),
    one_of("kind", RunKind),
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
    one_of("state", DocumentState),
    one_of("kind", DocumentKind, "kind IS NULL OR "),
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
    one_of("split", Split),
    one_of("origin", Origin),
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
    Column("account", Text, nullable=False),
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
    *actor_columns(),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    one_of("identity", Identity),
)

approvals = Table(
    "approvals",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("release", ForeignKey("releases.number"), nullable=False, index=True),
    Column("manifest", DIGEST, nullable=False),
    Column("approved", Boolean, nullable=False),
    *actor_columns(),
    Column("note", Text, nullable=False),
    Column("epoch", ForeignKey("deployments.epoch"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("statement", Noun(SignedStatement)),
    *seal_columns(),
    one_of("identity", Identity),
)

history = Table(
    "history",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("release", ForeignKey("releases.number"), nullable=False, index=True),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    *actor_columns(),
    Column("reason", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    *seal_columns(),
    one_of("identity", Identity),
    one_of("before", ReleaseState, "before IS NULL OR "),
    one_of("after", ReleaseState),
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
