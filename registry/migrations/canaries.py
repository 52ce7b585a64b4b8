"""The part of the first schema that holds canaries: their decisions and the graded answers behind these."""

import sqlalchemy as sa
from alembic import op


def create_canaries() -> None:
    """Makes both tables. Their rows are only ever added: the schema's triggers hold that."""
    op.create_table(
        "canaries",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("stable", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("identity", sa.String(length=16), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("action IN ('go-on', 'promote', 'roll-back')", name=op.f("ck_canaries_action_known")),
        sa.CheckConstraint("identity IN ('unproven', 'signed-in')", name=op.f("ck_canaries_identity_known")),
        sa.CheckConstraint("share > 0 AND share <= 1", name=op.f("ck_canaries_share_is_one")),
        sa.ForeignKeyConstraint(["epoch"], ["deployments.epoch"], name="fk_canaries_epoch"),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name="fk_canaries_release"),
        sa.ForeignKeyConstraint(["stable"], ["releases.number"], name="fk_canaries_stable"),
        sa.PrimaryKeyConstraint("epoch", "number", name="pk_canaries"),
    )
    op.create_table(
        "outcomes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("counts_as", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("canary_failed", sa.Boolean(), nullable=True),
        sa.Column("stable_failed", sa.Boolean(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "canary_failed IS NOT NULL OR stable_failed IS NOT NULL", name=op.f("ck_outcomes_somebody_answered")
        ),
        sa.ForeignKeyConstraint(["epoch"], ["deployments.epoch"], name="fk_outcomes_epoch"),
        sa.PrimaryKeyConstraint("id", name="pk_outcomes"),
    )
    op.create_index("counts_once", "outcomes", ["epoch", "counts_as"], unique=True)
