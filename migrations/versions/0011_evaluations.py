"""Hospitals report on their training rows, too, and how their test rows' scores are spread."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = ("train_confusion", "score_counts")


def upgrade() -> None:
    """Add the columns, empty: nobody reported this until now."""
    with op.batch_alter_table("evaluations", schema=None) as batch_op:
        for column in COLUMNS:
            batch_op.add_column(sa.Column(column, sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them; the signed messages still hold what was reported."""
    with op.batch_alter_table("evaluations", schema=None) as batch_op:
        for column in reversed(COLUMNS):
            batch_op.drop_column(column)
