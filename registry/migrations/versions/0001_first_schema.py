"""The first schema: every table of the ledger, and the triggers that keep its history append-only.

SQLite cannot change a constraint in place. A later revision that must change one copies the table (Alembic's batch
mode, foreign keys off meanwhile) and never writes `PRAGMA writable_schema`: defensive builds (macOS' own) refuse it.
"""

import sqlalchemy as sa
from alembic import op

from registry.migrations import triggers
from registry.migrations.canaries import create_canaries
from registry.migrations.decisions import create_decisions, create_review_decisions

# Not "0001": unreleased ledgers of another shape carry that name.
revision = "schema_1"
down_revision = None


def upgrade() -> None:
    _create_releases()
    create_decisions()
    create_review_decisions()
    _create_runs()
    _create_documents()
    _create_self_edits()
    create_canaries()
    _keep_history()


def _create_releases() -> None:
    op.create_table(
        "reports",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_reports"),
    )
    op.create_table(
        "updates",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_updates"),
    )
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("base", sa.String(length=64), nullable=False),
        sa.Column("adapter", sa.String(length=64), nullable=True),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("update_id", sa.String(length=64), nullable=False),
        sa.Column("report", sa.String(length=64), nullable=True),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mlflow_version", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('registering', 'candidate', 'production', 'superseded', 'rejected', 'rolled_back', 'stale', "
            "'void')",
            name=op.f("ck_releases_state_known"),
        ),
        sa.ForeignKeyConstraint(["parent"], ["releases.number"], name="fk_releases_parent"),
        sa.ForeignKeyConstraint(["report"], ["reports.digest"], name="fk_releases_report"),
        sa.PrimaryKeyConstraint("number", name="pk_releases"),
    )
    op.create_index(
        "one_production",
        "releases",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'production'"),
        postgresql_where=sa.text("state = 'production'"),
    )


def _create_runs() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("update_id", sa.String(length=64), nullable=True),
        sa.Column("report", sa.String(length=64), nullable=True),
        sa.Column("release", sa.Integer(), nullable=True),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("seconds", sa.JSON(), nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="nightly", nullable=False),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.CheckConstraint("kind IN ('nightly', 'rebuild', 'writer-training')", name=op.f("ck_runs_kind_known")),
        sa.CheckConstraint(
            "state IN ('ingesting', 'writing', 'training', 'gating', 'registering', 'waiting', 'released', "
            "'rejected_by_gates', 'rejected_by_reviewer', 'held', 'failed', 'abandoned', 'empty')",
            name=op.f("ck_runs_state_known"),
        ),
        sa.ForeignKeyConstraint(["parent"], ["releases.number"], name="fk_runs_parent"),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_runs_release"),
        sa.ForeignKeyConstraint(["report"], ["reports.digest"], name="fk_runs_report"),
        sa.ForeignKeyConstraint(["update_id"], ["updates.id"], name="fk_runs_update_id"),
        sa.PrimaryKeyConstraint("number", name="pk_runs"),
        sa.UniqueConstraint("release", name="uq_runs_release"),
    )


def _create_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("added", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("run", sa.Integer(), nullable=True),
        sa.Column("release", sa.Integer(), nullable=True),
        sa.CheckConstraint("(state = 'leased') = (run IS NOT NULL)", name=op.f("ck_documents_leased_by_a_run")),
        sa.CheckConstraint(
            "body IS NOT NULL OR state IN ('quarantined', 'discarded')",
            name=op.f("ck_documents_refused_is_never_queued"),
        ),
        sa.CheckConstraint(
            "kind IS NULL OR kind IN ('passage', 'workflow', 'correction')", name=op.f("ck_documents_kind_known")
        ),
        sa.CheckConstraint("state <> 'learned' OR release IS NOT NULL", name=op.f("ck_documents_learned_in_a_release")),
        sa.CheckConstraint(
            "state IN ('queued', 'leased', 'learned', 'quarantined', 'reverted', 'discarded', 'withdrawn', "
            "'writer-training')",
            name=op.f("ck_documents_state_known"),
        ),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_documents_run"),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_documents_release"),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
    )
    op.create_index("ix_documents_state", "documents", ["state"], unique=False)
    op.create_table(
        "eval_items",
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.CheckConstraint("origin IN ('human', 'model')", name=op.f("ck_eval_items_origin_known")),
        sa.CheckConstraint("split IN ('validation', 'test')", name=op.f("ck_eval_items_split_known")),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_eval_items_document"),
        sa.PrimaryKeyConstraint("document", "position", name="pk_eval_items"),
    )
    op.create_table(
        "run_documents",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_run_documents_document"),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_run_documents_run"),
        sa.PrimaryKeyConstraint("run", "position", name="pk_run_documents"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_withdrawals_document"),
        sa.PrimaryKeyConstraint("document", name="pk_withdrawals"),
    )
    op.create_table(
        "writer_training_documents",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_writer_training_documents_document"),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_writer_training_documents_run"),
        sa.PrimaryKeyConstraint("run", "document", name="pk_writer_training_documents"),
    )


def _create_self_edits() -> None:
    op.create_table(
        "self_edits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_self_edits_document"),
        sa.PrimaryKeyConstraint("id", name="pk_self_edits"),
    )
    op.create_table(
        "run_self_edits",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("self_edit", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_run_self_edits_run"),
        sa.ForeignKeyConstraint(["self_edit"], ["self_edits.id"], name="fk_run_self_edits_self_edit"),
        sa.PrimaryKeyConstraint("run", "self_edit", name="pk_run_self_edits"),
    )
    op.create_table(
        "selections",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_selections_document"),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_selections_run"),
        sa.PrimaryKeyConstraint("run", "document", name="pk_selections"),
    )


def _keep_history() -> None:
    """What people decide is only ever added, each row with the next number: an epoch, or its place in a chain."""
    for statement in triggers.POSTGRES if op.get_bind().dialect.name == "postgresql" else triggers.SQLITE:
        op.execute(statement)
