"""The documents that a practice was held on are kept with it; those that are not learned have a state of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_KNOWN = "'queued', 'leased', 'learned', 'quarantined', 'reverted', 'discarded', 'withdrawn'"
_STATES = f"{_KNOWN}, 'writer-training'"


def upgrade() -> None:
    op.create_table(
        "practised",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_practised_document"),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_practised_run"),
        sa.PrimaryKeyConstraint("run", "document", name="pk_practised"),
    )
    dialect = op.get_bind().dialect.name
    for statement in _POSTGRES if dialect == "postgresql" else _SQLITE:
        op.get_bind().exec_driver_sql(statement)


# As in 0003: SQLite cannot change a constraint, and rewriting the schema's text moves no row.
_SQLITE = (
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_schema SET sql = replace(sql, "
    f"'state IN ({_KNOWN.replace(chr(39), chr(39) * 2)})', 'state IN ({_STATES.replace(chr(39), chr(39) * 2)})') "
    "WHERE type = 'table' AND name = 'documents'",
    "PRAGMA writable_schema = RESET",
)
_POSTGRES = (
    "ALTER TABLE documents DROP CONSTRAINT ck_documents_ck_documents_state_known",
    f"ALTER TABLE documents ADD CONSTRAINT ck_documents_ck_documents_state_known CHECK (state IN ({_STATES}))",
)
