"""A practice is kept as it was asked for; of earlier ones nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("runs", sa.Column("asked", sa.JSON(), nullable=True))
