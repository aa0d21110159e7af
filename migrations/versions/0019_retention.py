"""Until when the keeping of a record was prolonged, and which entries did no more than that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: nobody has prolonged anything yet."""
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.add_column(sa.Column("keep_until", sa.Date(), nullable=True))
    with op.batch_alter_table("patient_entries", schema=None) as batch_op:
        prolongs = sa.Column("prolongs", sa.Boolean(), nullable=False, server_default=sa.false())
        batch_op.add_column(prolongs)


def downgrade() -> None:
    """Drop them: records are due when they would have been."""
    with op.batch_alter_table("patient_entries", schema=None) as batch_op:
        batch_op.drop_column("prolongs")
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.drop_column("keep_until")
