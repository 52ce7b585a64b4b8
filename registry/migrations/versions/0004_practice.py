"""A run may be a practice."""

from alembic import op

revision = "0004"
down_revision = "0003"

_KNOWN = "'nightly', 'rebuild'"
_KINDS = f"{_KNOWN}, 'practice'"


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in _POSTGRES if dialect == "postgresql" else _SQLITE:
        op.get_bind().exec_driver_sql(statement)


# As in 0003: SQLite cannot change a constraint, and rewriting the schema's text moves no row.
_SQLITE = (
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_schema SET sql = replace(sql, "
    f"'kind IN ({_KNOWN.replace(chr(39), chr(39) * 2)})', 'kind IN ({_KINDS.replace(chr(39), chr(39) * 2)})') "
    "WHERE type = 'table' AND name = 'runs'",
    "PRAGMA writable_schema = RESET",
)
_POSTGRES = (
    "ALTER TABLE runs DROP CONSTRAINT ck_runs_kind_known",
    f"ALTER TABLE runs ADD CONSTRAINT ck_runs_kind_known CHECK (kind IN ({_KINDS}))",
)
