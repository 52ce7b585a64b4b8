"""Documents may be withdrawn, each with who, why and when, and a run may be a rebuild."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KNOWN = "'queued', 'leased', 'learned', 'quarantined', 'reverted', 'discarded'"
_STATES = f"{_KNOWN}, 'withdrawn'"


def upgrade() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_withdrawals_document"),
        sa.PrimaryKeyConstraint("document", name="pk_withdrawals"),
    )
    op.execute(
        "ALTER TABLE runs ADD COLUMN kind VARCHAR(16) DEFAULT 'nightly' NOT NULL "
        "CONSTRAINT ck_runs_kind_known CHECK (kind IN ('nightly', 'rebuild'))"
    )
    dialect = op.get_bind().dialect.name
    for statement in _POSTGRES if dialect == "postgresql" else _SQLITE:
        op.get_bind().exec_driver_sql(statement)


# SQLite cannot change a constraint, and copying the table would break the keys that point to it: its own guide
# (lang_altertable, section 7) rewrites the schema's text for this, which moves no row.
_SQLITE = (
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_schema SET sql = replace(sql, "
    f"'state IN ({_KNOWN.replace(chr(39), chr(39) * 2)})', 'state IN ({_STATES.replace(chr(39), chr(39) * 2)})') "
    "WHERE type = 'table' AND name = 'documents'",
    "PRAGMA writable_schema = RESET",
    *(
        f"CREATE TRIGGER withdrawals_no_{verb.lower()} BEFORE {verb} ON withdrawals "
        "BEGIN SELECT RAISE(ABORT, 'withdrawals are append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ),
)
_POSTGRES = (
    "ALTER TABLE documents DROP CONSTRAINT ck_documents_ck_documents_state_known",
    f"ALTER TABLE documents ADD CONSTRAINT ck_documents_ck_documents_state_known CHECK (state IN ({_STATES}))",
    "CREATE TRIGGER withdrawals_append_only BEFORE UPDATE OR DELETE ON withdrawals "
    "FOR EACH ROW EXECUTE FUNCTION sealed_append_only()",
)
