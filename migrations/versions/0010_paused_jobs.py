"""Trainings that an administrator paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no job was ever paused."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("pause_requested", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("paused_at", _moment(), nullable=True))


def downgrade() -> None:
    """Drop them; what is paused goes on."""
    op.execute("UPDATE jobs SET state = 'queued' WHERE state = 'paused'")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("paused_at")
        batch_op.drop_column("pause_requested")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
