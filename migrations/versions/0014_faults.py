"""When a party did not do its part, and the kind of the error that it met."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: of what was noted until now neither is known."""
    with op.batch_alter_table("faults", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("kind", sa.String(length=100), server_default="", nullable=False)
        )
        batch_op.add_column(sa.Column("at", _moment(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("faults", schema=None) as batch_op:
        batch_op.drop_column("at")
        batch_op.drop_column("kind")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
