"""What the review of a round opened, and what a simulation knows besides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = ("attempts", "submissions", "trainings")


def _columns(table: str) -> list[sa.Column[object]]:
    if table == "attempts":
        return [
            sa.Column("kept", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("norm_bound", sa.BigInteger(), nullable=True),
            sa.Column("review", sa.JSON(), nullable=True),
        ]
    if table == "submissions":
        return [
            sa.Column(name, sa.Integer(), nullable=True)
            for name in ("balanced_accuracy", "reference", "bits")
        ]
    return [
        sa.Column("simulation", sa.JSON(), nullable=True),
        sa.Column("fedavg_accuracy", sa.Float(), nullable=True),
        sa.Column("oracle_accuracy", sa.Float(), nullable=True),
    ]


def upgrade() -> None:
    """Add the columns; what was recorded before was not reviewed."""
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in _columns(table):
                batch_op.add_column(column)


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in _columns(table):
                batch_op.drop_column(column.name)
