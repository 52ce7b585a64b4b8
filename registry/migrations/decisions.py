"""The part of the first schema that holds what people decide. Rows are only ever added: triggers hold that."""

import sqlalchemy as sa
from alembic import op


def create_decisions() -> None:
    """Makes deployments, approvals and the history of releases."""
    op.create_table(
        "deployments",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        *_by(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("identity IN ('unproven', 'signed-in')", name=op.f("ck_deployments_identity_known")),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_deployments_release"),
        sa.PrimaryKeyConstraint("epoch", name="pk_deployments"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        *_by(),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("statement", sa.JSON(), nullable=True),
        *_seal(),
        sa.CheckConstraint("identity IN ('unproven', 'signed-in')", name=op.f("ck_approvals_identity_known")),
        sa.ForeignKeyConstraint(["epoch"], ["deployments.epoch"], name="fk_approvals_epoch"),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_approvals_release"),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sa.UniqueConstraint("digest", name="uq_approvals_digest"),
    )
    op.create_index("ix_approvals_release", "approvals", ["release"], unique=False)
    op.create_table(
        "history",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=True),
        sa.Column("after", sa.String(length=16), nullable=False),
        *_by(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *_seal(),
        sa.CheckConstraint("identity IN ('unproven', 'signed-in')", name=op.f("ck_history_identity_known")),
        sa.CheckConstraint(
            "before IS NULL OR before IN ('registering', 'candidate', 'production', 'superseded', 'rejected', "
            "'rolled_back', 'stale', 'void')",
            name=op.f("ck_history_before_known"),
        ),
        sa.CheckConstraint(
            "after IN ('registering', 'candidate', 'production', 'superseded', 'rejected', 'rolled_back', 'stale', "
            "'void')",
            name=op.f("ck_history_after_known"),
        ),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_history_release"),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
        sa.UniqueConstraint("digest", name="uq_history_digest"),
    )
    op.create_index("ix_history_release", "history", ["release"], unique=False)


def _by() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("identity", sa.String(length=16), nullable=False),
    )


def _seal() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
    )


def create_review_decisions() -> None:
    """Makes what people decide in MLflow, and what became of it."""
    op.create_table(
        "review_decisions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *_seal(),
        sa.CheckConstraint("kind IN ('approve', 'reject', 'rollback')", name=op.f("ck_review_decisions_kind_known")),
        sa.ForeignKeyConstraint(["epoch"], ["deployments.epoch"], name="fk_review_decisions_epoch"),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_review_decisions_release"),
        sa.PrimaryKeyConstraint("number", name="pk_review_decisions"),
        sa.UniqueConstraint("digest", name="uq_review_decisions_digest"),
    )
    op.create_table(
        "review_outcomes",
        sa.Column("decision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["review_decisions.number"], name="fk_review_outcomes_decision"),
        sa.PrimaryKeyConstraint("decision", name="pk_review_outcomes"),
    )
