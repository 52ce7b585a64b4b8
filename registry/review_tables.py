"""The ledger's tables of what people decide in MLflow, beside the others in `registry.tables`. Knows no query."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text

from pipeline.types import ReviewKind
from registry.columns import UtcTime
from registry.tables import DIGEST, METADATA, one_of, seal_columns

review_decisions = Table(
    "review_decisions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("who", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("version", String(32), nullable=False),
    Column("release", ForeignKey("releases.number"), nullable=False),
    Column("manifest", DIGEST, nullable=False),
    Column("epoch", ForeignKey("deployments.epoch"), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    *seal_columns(),
    one_of("kind", ReviewKind),
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
