"""Wallets, the nonces of messages that they sign, and the wallet that opened a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; sessions that are open were opened by a password."""
    op.create_table(
        "wallets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("linked_at", _moment(), nullable=False),
        sa.Column("decided_at", _moment(), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_wallets_user_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_wallets_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallets")),
        sa.UniqueConstraint("user_id", name=op.f("uq_wallets_user_id")),
        sa.UniqueConstraint("address", name=op.f("uq_wallets_address")),
    )
    op.create_table(
        "wallet_nonces",
        sa.Column("nonce_sha256", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("browser_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("nonce_sha256", name=op.f("pk_wallet_nonces")),
    )
    op.create_index(op.f("ix_wallet_nonces_expires_at"), "wallet_nonces", ["expires_at"])
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wallet", sa.String(length=42), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("wallet")
    for table in ("wallet_nonces", "wallets"):
        op.drop_table(table)


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
