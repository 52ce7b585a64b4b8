"""Which of a document's candidates a run kept, and why: one row a document, where there was a selection."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "selections",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["document"], ["documents.id"], name="fk_choices_document"),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], name="fk_choices_run"),
        sa.PrimaryKeyConstraint("run", "document", name="pk_choices"),
    )
