"""The outbox: signed transactions, written down before they are sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty: what was sent before was waited for."""
    op.create_table(
        "outbox",
        sa.Column("genesis_hash", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("nonce", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("intent", sa.String(length=64), nullable=False),
        sa.Column("transaction", sa.String(length=66), nullable=False),
        sa.Column(
            "raw",
            sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("genesis_hash", "account", "nonce", name=op.f("pk_outbox")),
    )


def downgrade() -> None:
    """Drop it; whatever was sent is on the chain."""
    op.drop_table("outbox")
